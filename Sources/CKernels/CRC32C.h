#pragma once
// CRC-32C inside: what its implementations share. They work on the shift register itself, that is
// without the inversion at both ends: the register after a message is that after its first part,
// carried on. A register's bit i is the coefficient of x^(31 - i).
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
  HEADER_BYTES = 12,
  // Below, joining streams or the way through a vector and back takes longer than is won.
  ONE_STREAM_BELOW = 128
};

struct crc32c {
  uint32_t (*update)(uint32_t state, const uint8_t *bytes, size_t count);
  // The register after a frame's header and its payload, from the start.
  uint32_t (*frame)(const uint8_t *header, const uint8_t *payload, size_t count);
};

extern const struct crc32c crescendo_crc32c_table;

#if defined(__x86_64__)
#include <immintrin.h>
#define CRC32C_TARGET __attribute__((target("sse4.2,crc32")))
#define CRC32C_STEP_64(state, word) ((uint32_t)_mm_crc32_u64((state), (word)))
#define CRC32C_STEP_32(state, word) _mm_crc32_u32((state), (word))
extern const struct crc32c crescendo_crc32c_streams;
extern const struct crc32c crescendo_crc32c_folding_256;
extern const struct crc32c crescendo_crc32c_folding_512;
#elif defined(__aarch64__)
#include <arm_acle.h>
#define CRC32C_TARGET __attribute__((target("crc")))
#define CRC32C_STEP_64(state, word) __crc32cd((state), (word))
#define CRC32C_STEP_32(state, word) __crc32cw((state), (word))
#endif

#if defined(CRC32C_TARGET)
extern const struct crc32c crescendo_crc32c_instruction;

// Only for callers that were compiled for the same instructions or more.
#define CRC32C_INLINE CRC32C_TARGET static inline __attribute__((always_inline))

CRC32C_INLINE uint64_t crc32c_load_64(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, 8);
  return word;
}

CRC32C_INLINE uint32_t crc32c_load_32(const uint8_t *bytes) {
  uint32_t word;
  memcpy(&word, bytes, 4);
  return word;
}

// The register after the low `count` < 8 bytes of a word, in one step: zero bytes before a message
// change nothing when the register is 0, and a register counts as if added to the bytes that come.
// What reaches over their end is added behind.
CRC32C_INLINE uint32_t crc32c_step_bytes(uint32_t state, uint64_t word, size_t count) {
  const uint64_t padded = (word ^ state) << (63 - 8 * count) << 1;
  return CRC32C_STEP_64(0, padded) ^ (uint32_t)((uint64_t)state >> (8 * count));
}

// Up to seven bytes as a word, without a look beyond them.
CRC32C_INLINE uint64_t crc32c_load_bytes(const uint8_t *bytes, size_t count) {
  if (count >= 4) {
    const uint64_t high = crc32c_load_32(bytes + count - 4);
    return crc32c_load_32(bytes) | high << (8 * (count - 4));
  }
  if (count == 0) return 0;
  const uint64_t middle = bytes[count / 2], last = bytes[count - 1];
  return bytes[0] | middle << (8 * (count / 2)) | last << (8 * (count - 1));
}

// One stream: what is fastest for short messages.
CRC32C_INLINE uint32_t crc32c_one_stream(uint32_t state, const uint8_t *bytes, size_t count) {
  if (count < 8) return crc32c_step_bytes(state, crc32c_load_bytes(bytes, count), count);
  const size_t tail = count % 8;
  const uint64_t last = crc32c_load_64(bytes + count - 8) >> 1 >> (63 - 8 * tail);
  for (const uint8_t *end = bytes + (count - tail); bytes < end; bytes += 8)
    state = CRC32C_STEP_64(state, crc32c_load_64(bytes));
  return crc32c_step_bytes(state, last, tail);
}

// The register after a frame's header.
CRC32C_INLINE uint32_t crc32c_header(const uint8_t *header) {
  const uint32_t state = CRC32C_STEP_64(~0u, crc32c_load_64(header));
  return CRC32C_STEP_32(state, crc32c_load_32(header + 8));
}
#endif
