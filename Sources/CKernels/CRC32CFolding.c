#include "CRC32C.h"

#if defined(__x86_64__)
// Folding (Gopal and others, Intel, 2009) by VPCLMULQDQ: 128 bits of a message, A·x^64 + B, count
// the same modulo the polynomial when they are taken away and A·(x^(64 + d) mod P) +
// B·(x^d mod P) is added d bits later: two carry-less products. At the end 128 bits are left, and
// the crc32 instruction takes those. A constant stands in the low half of its 64 bits, and a
// product of reflected numbers is one bit short; both are in the exponents: x^(d + 31) for A,
// x^(d - 33) for B. With PCLMULQDQ's 128 bits this loses to three streams at every length.
#define BY_128 0xF20C0DFE, 0x493C7D27
#define BY_256 0x3DA6D0CB, 0xBA4FC28E
#define BY_384 0x1C291D04, 0xDDC0152B
#define BY_512 0x740EEF02, 0x9E4ADDF8
#define BY_768 0xC49F4F67, 0x0715CE53
#define BY_1024 0x6992CEA2, 0x0D3B6092
#define BY_1536 0xA87AB8A8, 0xAB7AFF2A
#define BY_2048 0xDCB17AA4, 0xB9E02B86

#define TARGET_128 __attribute__((target("sse4.2,crc32,pclmul")))
#define TARGET_256 __attribute__((target("sse4.2,crc32,pclmul,avx2,vpclmulqdq")))
#define TARGET_512 __attribute__((target("sse4.2,crc32,pclmul,avx2,avx512f,vpclmulqdq")))
#define INLINE static inline __attribute__((always_inline))

// Each kernel takes its odd bytes first, so that what folds is a multiple of eight bytes; what does
// not fill a vector of it is the first one, with zeros before.
CRC32C_INLINE uint32_t odd_bytes(uint32_t state, const uint8_t **bytes, size_t *count) {
  const size_t odd = *count % 8;
  state = crc32c_step_bytes(state, crc32c_load_64(*bytes), odd);
  *bytes += odd;
  *count -= odd;
  return state;
}

TARGET_128 INLINE __m128i constants_128(uint32_t first, uint32_t second) {
  return _mm_set_epi64x(second, first);
}

TARGET_128 INLINE __m128i fold_128(__m128i block, __m128i constants, __m128i onto) {
  const __m128i first = _mm_clmulepi64_si128(block, constants, 0x00);
  const __m128i second = _mm_clmulepi64_si128(block, constants, 0x11);
  return _mm_xor_si128(_mm_xor_si128(first, second), onto);
}

TARGET_128 INLINE uint32_t reduce_128(__m128i block) {
  const uint32_t state = CRC32C_STEP_64(0, (uint64_t)_mm_cvtsi128_si64(block));
  return CRC32C_STEP_64(state, (uint64_t)_mm_extract_epi64(block, 1));
}

TARGET_256 INLINE __m256i constants_256(uint32_t first, uint32_t second) {
  return _mm256_broadcastsi128_si256(constants_128(first, second));
}

TARGET_256 INLINE __m256i fold_256(__m256i block, __m256i constants, __m256i onto) {
  const __m256i first = _mm256_clmulepi64_epi128(block, constants, 0x00);
  const __m256i second = _mm256_clmulepi64_epi128(block, constants, 0x11);
  return _mm256_xor_si256(_mm256_xor_si256(first, second), onto);
}

TARGET_256 INLINE __m256i load_256(const uint8_t *bytes) {
  return _mm256_loadu_si256((const __m256i *)bytes);
}

// The register and the first `present` bytes, 8, 16, 24 or 32, with zeros before them.
TARGET_256 INLINE __m256i first_256(uint32_t state, const uint8_t *bytes, size_t present) {
  const __m256i missing = _mm256_set1_epi32(8 - (int)present / 4);
  const __m256i from = _mm256_sub_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), missing);
  const __m256i moved = _mm256_permutevar8x32_epi32(load_256(bytes), from);
  const __m256i here = _mm256_cmpeq_epi32(from, _mm256_setzero_si256());
  return _mm256_xor_si256(_mm256_andnot_si256(_mm256_srai_epi32(from, 31), moved),
                          _mm256_and_si256(here, _mm256_set1_epi32((int)state)));
}

TARGET_256 static uint32_t crc32c_update_256(uint32_t state, const uint8_t *bytes, size_t count) {
  if (count < ONE_STREAM_BELOW) return crc32c_one_stream(state, bytes, count);
  state = odd_bytes(state, &bytes, &count);
  const size_t present = (count - 1) % 32 + 1;
  size_t blocks = (count - present) / 32;
  __m256i d = first_256(state, bytes, present);
  bytes += present;
  const __m256i near = constants_256(BY_256);
  if (blocks >= 3) {
    __m256i a = d, b = load_256(bytes), c = load_256(bytes + 32);
    d = load_256(bytes + 64);
    const __m256i far = constants_256(BY_1024);
    for (bytes += 96, blocks -= 3; blocks >= 4; blocks -= 4, bytes += 128) {
      a = fold_256(a, far, load_256(bytes));
      b = fold_256(b, far, load_256(bytes + 32));
      c = fold_256(c, far, load_256(bytes + 64));
      d = fold_256(d, far, load_256(bytes + 96));
    }
    d = fold_256(a, constants_256(BY_768),
                 fold_256(b, constants_256(BY_512), fold_256(c, near, d)));
  }
  for (; blocks > 0; blocks--, bytes += 32) d = fold_256(d, near, load_256(bytes));
  return reduce_128(fold_128(_mm256_castsi256_si128(d), constants_128(BY_128),
                             _mm256_extracti128_si256(d, 1)));
}

TARGET_256 static uint32_t crc32c_frame_256(const uint8_t *header, const uint8_t *payload,
                                            size_t count) {
  return crc32c_update_256(crc32c_header(header), payload, count);
}

const struct crc32c crescendo_crc32c_folding_256 = {crc32c_update_256, crc32c_frame_256};

TARGET_512 INLINE __m512i constants_512(uint32_t first, uint32_t second) {
  return _mm512_broadcast_i32x4(constants_128(first, second));
}

TARGET_512 INLINE __m512i fold_512(__m512i block, __m512i constants, __m512i onto) {
  const __m512i first = _mm512_clmulepi64_epi128(block, constants, 0x00);
  const __m512i second = _mm512_clmulepi64_epi128(block, constants, 0x11);
  return _mm512_ternarylogic_epi64(first, second, onto, 0x96);
}

TARGET_512 INLINE __m512i load_512(const uint8_t *bytes) { return _mm512_loadu_si512(bytes); }

// As first_256, for 8, 16, … 64 bytes.
TARGET_512 INLINE __m512i first_512(uint32_t state, const uint8_t *bytes, size_t present) {
  const size_t missing = 8 - present / 8;
  const __m512i moved = _mm512_maskz_expand_epi64((__mmask8)(0xFF << missing), load_512(bytes));
  return _mm512_xor_si512(moved, _mm512_maskz_set1_epi64((__mmask8)(1 << missing), state));
}

TARGET_512 INLINE uint32_t reduce_512(__m512i block) {
  static const uint64_t onto_last[8] = {BY_384, BY_256, BY_128, 0, 0};
  const __m512i last = _mm512_maskz_mov_epi64(0xC0, block);
  const __m512i folded = fold_512(block, _mm512_loadu_si512(onto_last), last);
  const __m256i half =
      _mm256_xor_si256(_mm512_castsi512_si256(folded), _mm512_extracti64x4_epi64(folded, 1));
  return reduce_128(
      _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}

TARGET_512 static uint32_t crc32c_update_512(uint32_t state, const uint8_t *bytes, size_t count) {
  if (count < ONE_STREAM_BELOW) return crc32c_one_stream(state, bytes, count);
  state = odd_bytes(state, &bytes, &count);
  const size_t present = (count - 1) % 64 + 1;
  size_t blocks = (count - present) / 64;
  __m512i d = first_512(state, bytes, present);
  bytes += present;
  const __m512i near = constants_512(BY_512);
  if (blocks >= 3) {
    __m512i a = d, b = load_512(bytes), c = load_512(bytes + 64);
    d = load_512(bytes + 128);
    const __m512i far = constants_512(BY_2048);
    for (bytes += 192, blocks -= 3; blocks >= 4; blocks -= 4, bytes += 256) {
      a = fold_512(a, far, load_512(bytes));
      b = fold_512(b, far, load_512(bytes + 64));
      c = fold_512(c, far, load_512(bytes + 128));
      d = fold_512(d, far, load_512(bytes + 192));
    }
    d = fold_512(a, constants_512(BY_1536),
                 fold_512(b, constants_512(BY_1024), fold_512(c, near, d)));
  }
  for (; blocks > 0; blocks--, bytes += 64) d = fold_512(d, near, load_512(bytes));
  return reduce_512(d);
}

TARGET_512 static uint32_t crc32c_frame_512(const uint8_t *header, const uint8_t *payload,
                                            size_t count) {
  return crc32c_update_512(crc32c_header(header), payload, count);
}

const struct crc32c crescendo_crc32c_folding_512 = {crc32c_update_512, crc32c_frame_512};
#endif
