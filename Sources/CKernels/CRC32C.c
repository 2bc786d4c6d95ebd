#include "CRC32C.h"

#include <stdatomic.h>

#include "CKernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

// The table: slicing by eight (Kounavis and Berry, 2005). Slice k has the register after each byte
// and 8·k zero bits. That is linear in the byte's bits, so an entry is the sum of eight constants,
// one for each bit that is set; the compiler makes it.
#define ENTRY(n, b0, b1, b2, b3, b4, b5, b6, b7)                                           \
  (((n) & 1 ? b0 : 0) ^ ((n) & 2 ? b1 : 0) ^ ((n) & 4 ? b2 : 0) ^ ((n) & 8 ? b3 : 0) ^            \
   ((n) & 16 ? b4 : 0) ^ ((n) & 32 ? b5 : 0) ^ ((n) & 64 ? b6 : 0) ^ ((n) & 128 ? b7 : 0))
#define ENTRIES_4(E, n) E(n), E((n) + 1), E((n) + 2), E((n) + 3)
#define ENTRIES_16(E, n)                                                                           \
  ENTRIES_4(E, n), ENTRIES_4(E, (n) + 4), ENTRIES_4(E, (n) + 8), ENTRIES_4(E, (n) + 12)
#define ENTRIES_64(E, n)                                                                           \
  ENTRIES_16(E, n), ENTRIES_16(E, (n) + 16), ENTRIES_16(E, (n) + 32), ENTRIES_16(E, (n) + 48)
#define ENTRIES_256(E) \
  { ENTRIES_64(E, 0), ENTRIES_64(E, 64), ENTRIES_64(E, 128), ENTRIES_64(E, 192) }

#define SLICE_0(n)                                                                                \
  ENTRY(n, 0xF26B8303, 0xE13B70F7, 0xC79A971F, 0x8AD958CF, 0x105EC76F, 0x20BD8EDE,         \
               0x417B1DBC, 0x82F63B78)
#define SLICE_1(n)                                                                                \
  ENTRY(n, 0x13A29877, 0x274530EE, 0x4E8A61DC, 0x9D14C3B8, 0x3FC5F181, 0x7F8BE302,         \
               0xFF17C604, 0xFBC3FAF9)
#define SLICE_2(n)                                                                                \
  ENTRY(n, 0xA541927E, 0x4F6F520D, 0x9EDEA41A, 0x38513EC5, 0x70A27D8A, 0xE144FB14,         \
               0xC76580D9, 0x8B277743)
#define SLICE_3(n)                                                                                \
  ENTRY(n, 0xDD45AAB8, 0xBF672381, 0x7B2231F3, 0xF64463E6, 0xE964B13D, 0xD725148B,         \
               0xABA65FE7, 0x52A0C93F)
#define SLICE_4(n)                                                                                \
  ENTRY(n, 0x38116FAC, 0x7022DF58, 0xE045BEB0, 0xC5670B91, 0x8F2261D3, 0x1BA8B557,         \
               0x37516AAE, 0x6EA2D55C)
#define SLICE_5(n)                                                                                \
  ENTRY(n, 0xEF306B19, 0xDB8CA0C3, 0xB2F53777, 0x6006181F, 0xC00C303E, 0x85F4168D,         \
               0x0E045BEB, 0x1C08B7D6)
#define SLICE_6(n)                                                                                \
  ENTRY(n, 0x68032CC8, 0xD0065990, 0xA5E0C5D1, 0x4E2DFD53, 0x9C5BFAA6, 0x3D5B83BD,         \
               0x7AB7077A, 0xF56E0EF4)
#define SLICE_7(n)                                                                                \
  ENTRY(n, 0x493C7D27, 0x9278FA4E, 0x211D826D, 0x423B04DA, 0x847609B4, 0x0D006599,         \
               0x1A00CB32, 0x34019664)

static const uint32_t slices[8][256] = {
    ENTRIES_256(SLICE_0), ENTRIES_256(SLICE_1), ENTRIES_256(SLICE_2), ENTRIES_256(SLICE_3),
    ENTRIES_256(SLICE_4), ENTRIES_256(SLICE_5), ENTRIES_256(SLICE_6), ENTRIES_256(SLICE_7)};

static uint32_t crc32c_update_table(uint32_t state, const uint8_t *bytes, size_t count) {
  for (; count >= 8; bytes += 8, count -= 8) {
    const uint32_t first = state ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
                                    (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
    state = slices[7][first & 255] ^ slices[6][first >> 8 & 255] ^ slices[5][first >> 16 & 255] ^
            slices[4][first >> 24] ^ slices[3][bytes[4]] ^ slices[2][bytes[5]] ^
            slices[1][bytes[6]] ^ slices[0][bytes[7]];
  }
  for (; count > 0; bytes++, count--) state = state >> 8 ^ slices[0][(state ^ *bytes) & 255];
  return state;
}

static uint32_t crc32c_frame_table(const uint8_t *header, const uint8_t *payload, size_t count) {
  return crc32c_update_table(crc32c_update_table(~0u, header, HEADER_BYTES), payload, count);
}

const struct crc32c crescendo_crc32c_table = {crc32c_update_table, crc32c_frame_table};

static const struct crc32c *implementation(int number) {
  switch (number) {
#if defined(CRC32C_TARGET)
    case CRESCENDO_CRC32C_INSTRUCTION: return &crescendo_crc32c_instruction;
#endif
#if defined(__x86_64__)
    case CRESCENDO_CRC32C_STREAMS: return &crescendo_crc32c_streams;
    case CRESCENDO_CRC32C_FOLDING_256: return &crescendo_crc32c_folding_256;
    case CRESCENDO_CRC32C_FOLDING_512: return &crescendo_crc32c_folding_512;
#endif
    default: return &crescendo_crc32c_table;
  }
}

static int has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

uint32_t crescendo_crc32c_x86(uint32_t leaf1_ecx, uint32_t leaf7_ebx, uint32_t leaf7_ecx,
                              uint32_t xcr0) {
  enum { PCLMULQDQ = 1 << 1, SSE4_2 = 1 << 20, OSXSAVE = 1 << 27 };
  enum { AVX2 = 1 << 5, AVX512F = 1 << 16, VPCLMULQDQ = 1 << 10 };
  // What the system saves when threads change places: SSE and AVX; with mask and ZMM registers.
  enum { YMM = 0x06, ZMM = 0xE6 };
  uint32_t found = 1 << CRESCENDO_CRC32C_TABLE;
  if (!has(leaf1_ecx, SSE4_2)) return found;
  found |= 1 << CRESCENDO_CRC32C_INSTRUCTION;
  if (!has(leaf1_ecx, PCLMULQDQ)) return found;
  found |= 1 << CRESCENDO_CRC32C_STREAMS;
  const int wide = has(leaf1_ecx, OSXSAVE) && has(leaf7_ecx, VPCLMULQDQ) && has(leaf7_ebx, AVX2);
  if (wide && has(xcr0, YMM)) found |= 1 << CRESCENDO_CRC32C_FOLDING_256;
  if (wide && has(xcr0, ZMM) && has(leaf7_ebx, AVX512F))
    found |= 1 << CRESCENDO_CRC32C_FOLDING_512;
  return found;
}

uint32_t crescendo_crc32c_available(void) {
#if defined(__x86_64__)
  uint32_t eax = 0, ebx = 0, leaf1_ecx = 0, edx = 0, leaf7_ebx = 0, leaf7_ecx = 0, xcr0 = 0;
  __get_cpuid(1, &eax, &ebx, &leaf1_ecx, &edx);
  __get_cpuid_count(7, 0, &eax, &leaf7_ebx, &leaf7_ecx, &edx);
  // xgetbv, written out: it is allowed only where OSXSAVE says so.
  if (has(leaf1_ecx, 1 << 27)) __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(edx) : "c"(0));
  return crescendo_crc32c_x86(leaf1_ecx, leaf7_ebx, leaf7_ecx, xcr0);
#elif defined(__aarch64__)
  const unsigned long crc32 = 1 << 7;
  const int found = getauxval(AT_HWCAP) & crc32 ? 1 << CRESCENDO_CRC32C_INSTRUCTION : 0;
  return (uint32_t)found | 1 << CRESCENDO_CRC32C_TABLE;
#else
  return 1 << CRESCENDO_CRC32C_TABLE;
#endif
}

// The first call chooses, unless someone has. Threads that do so at the same time choose the same.
static uint32_t crc32c_update_first(uint32_t state, const uint8_t *bytes, size_t count);
static uint32_t crc32c_frame_first(const uint8_t *header, const uint8_t *payload, size_t count);
static const struct crc32c undecided = {crc32c_update_first, crc32c_frame_first};
static const struct crc32c *_Atomic chosen = &undecided;

static const struct crc32c *choice(void) {
  return atomic_load_explicit(&chosen, memory_order_relaxed);
}

// The later, the faster.
static const struct crc32c *best(void) {
  const uint32_t available = crescendo_crc32c_available();
  int number = CRESCENDO_CRC32C_COUNT - 1;
  while (!(available >> number & 1)) number--;
  return implementation(number);
}

static const struct crc32c *first_choice(void) {
  const struct crc32c *expected = &undecided;
  atomic_compare_exchange_strong(&chosen, &expected, best());
  return choice();
}

static uint32_t crc32c_update_first(uint32_t state, const uint8_t *bytes, size_t count) {
  return first_choice()->update(state, bytes, count);
}

static uint32_t crc32c_frame_first(const uint8_t *header, const uint8_t *payload, size_t count) {
  return first_choice()->frame(header, payload, count);
}

void crescendo_crc32c_choose(int number) {
  atomic_store_explicit(&chosen, number < 0 ? best() : implementation(number),
                        memory_order_relaxed);
}

uint32_t crescendo_crc32c(uint32_t crc, const void *bytes, size_t count) {
  return ~choice()->update(~crc, bytes, count);
}

uint32_t crescendo_crc32c_frame(const void *header, const void *payload, size_t count) {
  return ~choice()->frame(header, payload, count);
}

uint32_t crescendo_crc32c_by(int number, uint32_t crc, const void *bytes, size_t count) {
  return ~implementation(number)->update(~crc, bytes, count);
}

uint32_t crescendo_crc32c_frame_by(int number, const void *header, const void *payload,
                                   size_t count) {
  return ~implementation(number)->frame(header, payload, count);
}
