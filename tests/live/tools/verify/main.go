// SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Says what Go's crypto/x509 makes of a certificate, as Go's TLS clients and servers do.
//
// verify -roots ca.pem -usage server -name api.example.com fullchain.pem
package main

import (
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
)

func certificates(path string) []*x509.Certificate {
	rest, err := os.ReadFile(path)
	if err != nil {
		fail(err)
	}
	var found []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return found
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			fail(fmt.Errorf("%s: %w", path, err))
		}
		found = append(found, certificate)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	roots := flag.String("roots", "", "file of the trusted certificates")
	name := flag.String("name", "", "host name or IP address, none for any")
	usage := flag.String("usage", "server", "server or client")
	flag.Parse()

	usages := map[string]x509.ExtKeyUsage{"server": x509.ExtKeyUsageServerAuth, "client": x509.ExtKeyUsageClientAuth}
	options := x509.VerifyOptions{
		DNSName:       *name,
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{usages[*usage]},
	}
	for _, root := range certificates(*roots) {
		options.Roots.AddCert(root)
	}
	chain := certificates(flag.Arg(0))
	for _, above := range chain[1:] {
		options.Intermediates.AddCert(above)
	}
	if _, err := chain[0].Verify(options); err != nil {
		fail(err)
	}
	fmt.Println("OK")
}
