// SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
// SPDX-License-Identifier: GPL-3.0-or-later

module zerotrust.example/verify

go 1.24

tool zerotrust.example/verify
