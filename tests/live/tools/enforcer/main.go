// SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Enforces the NetworkPolicies of a cluster on the packets that iptables hands it by NFQUEUE. What a policy means is
// cyclonus' judgement; which pods, namespaces and policies there are is watched at the API server.
//
// It is handed packets that pods send. One from an address that no pod has is dropped, as is anything while it does
// not run. Ports are known by number only.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"

	nfqueue "github.com/florianl/go-nfqueue"
	"github.com/mattfenwick/cyclonus/pkg/matcher"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// What is read of a packet: the longest header of IPv4, and the ports behind it.
const headers = 64

var protocols = map[byte]core.Protocol{6: core.ProtocolTCP, 17: core.ProtocolUDP, 132: core.ProtocolSCTP}

type cluster struct {
	pods       cache.Indexer
	namespaces cache.Store
	policies   cache.Store
}

func watched(
	ctx context.Context, from cache.Getter, resource string, kind runtime.Object, by cache.Indexers,
) cache.Indexer {
	source := cache.NewListWatchFromClient(from, resource, core.NamespaceAll, fields.Everything())
	found, controller := cache.NewIndexerInformer(source, kind, 0, cache.ResourceEventHandlerFuncs{}, by)
	go controller.Run(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), controller.HasSynced) {
		log.Fatalf("%s cannot be watched", resource)
	}
	return found
}

func watch(ctx context.Context, kubeconfig string) (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	byAddress := cache.Indexers{"address": func(found any) ([]string, error) {
		return []string{found.(*core.Pod).Status.PodIP}, nil
	}}
	return &cluster{
		pods:       watched(ctx, client.CoreV1().RESTClient(), "pods", &core.Pod{}, byAddress),
		namespaces: watched(ctx, client.CoreV1().RESTClient(), "namespaces", &core.Namespace{}, nil),
		policies:   watched(ctx, client.NetworkingV1().RESTClient(), "networkpolicies", &networking.NetworkPolicy{}, nil),
	}, nil
}

func (c *cluster) peer(address string) *matcher.TrafficPeer {
	peer := &matcher.TrafficPeer{IP: address}
	if found, _ := c.pods.ByIndex("address", address); len(found) > 0 {
		pod := found[0].(*core.Pod)
		peer.Internal = &matcher.InternalPeer{Namespace: pod.Namespace, PodLabels: pod.Labels}
		if namespace, there, _ := c.namespaces.GetByKey(pod.Namespace); there {
			peer.Internal.NamespaceLabels = namespace.(*core.Namespace).Labels
		}
	}
	return peer
}

func (c *cluster) allows(traffic *matcher.Traffic) bool {
	var policies []*networking.NetworkPolicy
	for _, policy := range c.policies.List() {
		policies = append(policies, policy.(*networking.NetworkPolicy))
	}
	return !traffic.Source.IsExternal() &&
		matcher.BuildNetworkPolicies(false, policies).IsTrafficAllowed(traffic).IsAllowed()
}

// The traffic that a packet of IPv4 is of; nil if it is cut short.
func (c *cluster) traffic(packet []byte) *matcher.Traffic {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return nil
	}
	length := int(packet[0]&15) * 4
	found := &matcher.Traffic{
		Source:      c.peer(netip.AddrFrom4([4]byte(packet[12:16])).String()),
		Destination: c.peer(netip.AddrFrom4([4]byte(packet[16:20])).String()),
		Protocol:    protocols[packet[9]],
	}
	if found.Protocol != "" {
		if len(packet) < length+4 {
			return nil
		}
		found.ResolvedPort = int(binary.BigEndian.Uint16(packet[length+2:]))
	}
	return found
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the cluster")
	number := flag.Uint("queue", 0, "the queue that packets come by")
	ready := flag.String("ready", "", "address that takes connections as soon as packets are judged")
	dropped := flag.String("dropped", "", "file that gets a line for each packet dropped: SOURCE DESTINATION PORT")
	flag.Parse()

	ctx := context.Background()
	seen, err := watch(ctx, *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	account, err := os.Create(*dropped)
	if err != nil {
		log.Fatal(err)
	}
	queue, err := nfqueue.Open(&nfqueue.Config{
		NfQueue:      uint16(*number),
		MaxPacketLen: headers,
		MaxQueueLen:  1024,
		Copymode:     nfqueue.NfQnlCopyPacket,
		// Whole, and not in parts.
		Flags: nfqueue.NfQaCfgFlagGSO,
	})
	if err != nil {
		log.Fatal(err)
	}
	judge := func(packet nfqueue.Attribute) int {
		verdict := nfqueue.NfDrop
		if traffic := seen.traffic(*packet.Payload); traffic != nil {
			if seen.allows(traffic) {
				verdict = nfqueue.NfAccept
			} else {
				fmt.Fprintln(account, traffic.Source.IP, traffic.Destination.IP, traffic.ResolvedPort)
			}
		}
		if err := queue.SetVerdict(*packet.PacketID, verdict); err != nil {
			log.Print(err)
		}
		return 0
	}
	failed := func(err error) int {
		log.Print(err)
		return 0
	}
	if err := queue.RegisterWithErrorFunc(ctx, judge, failed); err != nil {
		log.Fatal(err)
	}
	if _, err := net.Listen("tcp", *ready); err != nil {
		log.Fatal(err)
	}
	select {}
}
