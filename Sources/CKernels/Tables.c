#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "CKernels.h"

enum {
  CACHE_LINE = 64,
  HUGE_PAGE = 2 << 20,
  // Half a huge page: a shorter table would waste more than it has.
  LONG = HUGE_PAGE / 2,
};

void *crescendo_allocate_table(size_t bytes) {
  const size_t unit = bytes >= LONG ? HUGE_PAGE : CACHE_LINE;
  const size_t whole = bytes == 0 ? unit : (bytes + unit - 1) / unit * unit;
  void *table = whole < bytes ? NULL : aligned_alloc(unit, whole);
  if (table == NULL) {
    fprintf(stderr, "crescendo: no memory for a table of %zu bytes\n", bytes);
    abort();
  }
  // Only advice: without huge pages the table works, too.
  if (unit == HUGE_PAGE) (void)madvise(table, whole, MADV_HUGEPAGE);
  return table;
}

void crescendo_free_table(void *table) { free(table); }
