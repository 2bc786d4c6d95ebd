#pragma once
// Kernels and the few libm functions of the domain, which imports no other C. Nothing here is
// compiled with contraction: a fused multiply-add would change the bits of a score.
#include <stddef.h>
#include <stdint.h>

// libm's exp and log1p of a double: the output transforms of models are defined on them.
double crescendo_exp(double x);
double crescendo_log1p(double x);

// Asks for the cache line at an address that is read soon.
static inline void crescendo_prefetch(const void *address) { __builtin_prefetch(address); }

// Memory of a table that is read at random: on cache lines of its own, and what is as long as a
// huge page on huge pages, where the system has them, so that a read costs no walk through page
// tables beside its cache miss. Never null: without memory the process ends. Not cleared.
__attribute__((returns_nonnull)) void *crescendo_allocate_table(size_t bytes);
void crescendo_free_table(void *table);

// The float of an IEEE 754 half, exactly.
float crescendo_widen_f16(uint16_t half);

// Dot products in float32 with a fixed order, so that every machine gets the same bits: lane j of
// 16 sums the products of elements j, j + 16, … in order (the tail padded with +0), multiply then
// add; then lanes fold 8, 4, 2, 1. `item` is little-endian, at any alignment.
float crescendo_dot_f32(const float *user, const void *item, size_t dimension);
float crescendo_dot_f16(const float *user, const void *item, size_t dimension);

// The exact sum of products; at most 1,024 elements are in use, far below overflow.
int32_t crescendo_dot_i8(const int8_t *user, const int8_t *item, size_t dimension);

// CRC-32C (Castagnoli; RFC 3720, 12.1) in as many ways as there are instruction sets; the table
// runs everywhere. `crc` is what came out before, 0 at the start. The first call looks for what
// the CPU and its system allow.
enum {
  CRESCENDO_CRC32C_TABLE,
  CRESCENDO_CRC32C_INSTRUCTION,
  CRESCENDO_CRC32C_STREAMS,
  CRESCENDO_CRC32C_FOLDING_256,
  CRESCENDO_CRC32C_FOLDING_512,
  CRESCENDO_CRC32C_COUNT
};
uint32_t crescendo_crc32c(uint32_t crc, const void *bytes, size_t count);

// Of a frame's 12 header bytes, then its payload.
uint32_t crescendo_crc32c_frame(const void *header, const void *payload, size_t count);

// The same by one implementation, which must be available.
uint32_t crescendo_crc32c_by(int number, uint32_t crc, const void *bytes, size_t count);
uint32_t crescendo_crc32c_frame_by(int number, const void *header, const void *payload,
                                   size_t count);

// Which implementations may run here: bit n for number n.
uint32_t crescendo_crc32c_available(void);

// Makes all calls of the process use one implementation, which must be available; -1: the best.
void crescendo_crc32c_choose(int number);

// Which implementations an x86-64 CPU has: ECX of CPUID leaf 1, EBX and ECX of leaf 7, XCR0.
uint32_t crescendo_crc32c_x86(uint32_t leaf1_ecx, uint32_t leaf7_ebx, uint32_t leaf7_ecx,
                              uint32_t xcr0);
