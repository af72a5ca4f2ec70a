/**
 * A certificate that signs itself, for `localhost` and `index.test`, until 2126: Node has nothing
 * to make one with. Its key is here for everybody to read, so it is worth nothing outside of tests.
 */
export const testCertificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBrDCCAVGgAwIBAgIUG8gxbwBm6B6zIF+tBVgG2cY23WowCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwObW9ub2Nlcm9zIHRlc3QwIBcNMjYxMTIzMTE1MDAyWhgPMjEy
NjEwMzAxMTUwMDJaMBkxFzAVBgNVBAMMDm1vbm9jZXJvcyB0ZXN0MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEYPyllqpFPfGnuiMA7G1eFAeMgHjcUIHW1ica0Z0S
1F84mAJTOUdwa/cbFxjvKIek6bbM4ZoxGmSrp2zeyy1VpqN1MHMwHQYDVR0OBBYE
FNXFLQQUf6cbbc7RnB4DV5ehLxbfMB8GA1UdIwQYMBaAFNXFLQQUf6cbbc7RnB4D
V5ehLxbfMCAGA1UdEQQZMBeCCWxvY2FsaG9zdIIKaW5kZXgudGVzdDAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQCuEVfLj2OU6lOeUig+9zWsM+cq
2gMzLr0bVcy05sB19QIhAJXWvzZHgOXPMO6kdFUvt9SYFCxqsH9kdURNoLU5LYlE
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3WpnpzxWhyNJb/7V
pJWPcRxQjZQFOPyHFm4dKePV8e2hRANCAARg/KWWqkU98ae6IwDsbV4UB4yAeNxQ
gdbWJxrRnRLUXziYAlM5R3Br9xsXGO8oh6TptszhmjEaZKunbN7LLVWm
-----END PRIVATE KEY-----
`,
} as const
