#include "CRC32C.h"

#if defined(CRC32C_TARGET)
CRC32C_TARGET static uint32_t crc32c_update_one(uint32_t state, const uint8_t *bytes,
                                                size_t count) {
  return crc32c_one_stream(state, bytes, count);
}

CRC32C_TARGET static uint32_t crc32c_frame_one(const uint8_t *header, const uint8_t *payload,
                                               size_t count) {
  return crc32c_one_stream(crc32c_header(header), payload, count);
}

const struct crc32c crescendo_crc32c_instruction = {crc32c_update_one, crc32c_frame_one};
#endif

#if defined(__x86_64__)
// The instruction takes eight bytes per cycle, but each waits three cycles for the one before. So
// three neighbouring stretches are taken at the same time, and joined by PCLMULQDQ: over a stretch
// of n bits that follow, a register counts x^n-fold.
#define TARGET __attribute__((target("sse4.2,crc32,pclmul")))
#define INLINE static inline __attribute__((always_inline))

enum { STRETCH_WORDS_MAX = 64 };

// x^(64·i - 33) modulo the polynomial at i - 1. What is missing: the instruction that reduces the
// product multiplies by x^32, and a product of reflected numbers is one bit short.
static const uint32_t over_words[2 * STRETCH_WORDS_MAX] = {
    0x00000001, 0x493C7D27, 0xF20C0DFE, 0xBA4FC28E, 0x3DA6D0CB, 0xDDC0152B, 0x1C291D04, 0x9E4ADDF8,
    0x740EEF02, 0x39D3B296, 0x083A6EEC, 0x0715CE53, 0xC49F4F67, 0x47DB8317, 0x2AD91C30, 0x0D3B6092,
    0x6992CEA2, 0xC96CFDC0, 0x7E908048, 0x878A92A7, 0x1B3D8F29, 0xDAECE73E, 0xF1D0F55E, 0xAB7AFF2A,
    0xA87AB8A8, 0x2162D385, 0x8462D800, 0x83348832, 0x71D111A8, 0x299847D5, 0xFFD852C6, 0xB9E02B86,
    0xDCB17AA4, 0x18B33A4E, 0xF37C5AEE, 0xB6DD949B, 0x6051D5A2, 0x78D9CCB7, 0x18B0D4FF, 0xBAC2FD7B,
    0x21F3D99C, 0xA60CE07B, 0x8F158014, 0xCE7F39F4, 0xA00457F7, 0x61D82E56, 0x8D6D2C43, 0xD270F1A2,
    0x00AC29CF, 0xC619809D, 0xE9ADF796, 0x2B3CAC5D, 0x96638B34, 0x65863B64, 0xE0E9F351, 0x1B03397F,
    0x9AF01F2D, 0xEBB883BD, 0x2CFF42CF, 0xB3E32C28, 0x88F25A3A, 0x064F7F26, 0x4E36F0B0, 0xDD7E3B0C,
    0xBD6F81F8, 0xF285651C, 0x91C9BD4B, 0x10746F3C, 0x885F087B, 0xC7A68855, 0x4C144932, 0x271D9844,
    0x52148F02, 0x8E766A0C, 0xA3C6F37A, 0x93A5F730, 0xD7C0557F, 0x6CB08E5C, 0x63DED06A, 0x6B749FB2,
    0x4D56973C, 0x1393E203, 0x9669C9DF, 0xCEC3662E, 0xE417F38A, 0x96C515BB, 0x4B9E0F71, 0xE6FC4E6A,
    0xD104B8FC, 0x8227BB8A, 0x5B397730, 0xB0CD4768, 0xE78EB416, 0x39C7FF35, 0x61FF0E01, 0xD7A4825C,
    0x8D96551C, 0x0AB3844B, 0x0BF80DD2, 0x0167D312, 0x8821ABED, 0xF6076544, 0x6A45D2B2, 0x26F6A60A,
    0xD8D26619, 0xA741C1BF, 0xDE87806C, 0x98D8D9CB, 0x14338754, 0x49C3CC9C, 0x5BD2011F, 0x68BCE87A,
    0xDD07448E, 0x57A3D037, 0xDDE8F5B9, 0x6956FC3B, 0xA3E3E02C, 0x42D98888, 0xD73C7BEA, 0x3771E98F,
    0x80FF0093, 0xB42AE3D9, 0x8FE4C34D, 0x2178513A, 0xDF99FC11, 0xE0AC139E, 0x6C23E841, 0x170076FA,
};

TARGET INLINE __m128i over(uint32_t state, size_t words) {
  const __m128i constant = _mm_cvtsi32_si128((int)over_words[words - 1]);
  return _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)state), constant, 0x00);
}

TARGET INLINE uint32_t three_streams(uint32_t state, const uint8_t *bytes, size_t words) {
  const size_t stretch = 8 * words;
  uint32_t second = 0, third = 0;
  for (const uint8_t *end = bytes + stretch; bytes < end; bytes += 8) {
    state = CRC32C_STEP_64(state, crc32c_load_64(bytes));
    second = CRC32C_STEP_64(second, crc32c_load_64(bytes + stretch));
    third = CRC32C_STEP_64(third, crc32c_load_64(bytes + 2 * stretch));
  }
  const __m128i sum = _mm_xor_si128(over(state, 2 * words), over(second, words));
  return third ^ CRC32C_STEP_64(0, (uint64_t)_mm_cvtsi128_si64(sum));
}

TARGET static uint32_t crc32c_update_streams(uint32_t state, const uint8_t *bytes, size_t count) {
  while (count >= ONE_STREAM_BELOW) {
    const size_t words = count / 24 < STRETCH_WORDS_MAX ? count / 24 : STRETCH_WORDS_MAX;
    state = three_streams(state, bytes, words);
    bytes += 24 * words;
    count -= 24 * words;
  }
  return crc32c_one_stream(state, bytes, count);
}

TARGET static uint32_t crc32c_frame_streams(const uint8_t *header, const uint8_t *payload,
                                            size_t count) {
  return crc32c_update_streams(crc32c_header(header), payload, count);
}

const struct crc32c crescendo_crc32c_streams = {crc32c_update_streams, crc32c_frame_streams};
#endif
