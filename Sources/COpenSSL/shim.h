#pragma once
// SHA256_CTX is plain memory, so that a key's state can be kept and copied: the successor in
// OpenSSL 3 allocates for each code.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
