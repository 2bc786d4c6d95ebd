// What SQLite alone costs: rows of a ledger's journal, written once more to a file with the same
// tables, indexes, triggers and pragmas.
//
// usage: sqlite_rows LEDGER FILE LOG_PAGES
// Makes FILE with the rows that LEDGER has, and then obeys lines of its input: `all N` writes the
// rows that LEDGER has got since, N a commit; `last N` the last of them alone. Each is answered
// with a line: how many rows, and nanoseconds of CPU and of the wall, reading LEDGER left out.
#define _GNU_SOURCE
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 32, FIRST = 10000 };

// One column of one row: all of the journal's are integers.
struct cell {
  sqlite3_int64 value;
  int is_null;
};

static sqlite3 *ledger, *file;
static sqlite3_stmt *read_new, *begin, *insert, *commit;
static struct cell *cells;
static size_t rows, room;
static int columns;
static sqlite3_int64 last;

static void demand(int holds, sqlite3 *of, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s: %s\n", what, of ? sqlite3_errmsg(of) : "no");
  exit(1);
}

static sqlite3_stmt *prepare(sqlite3 *of, const char *sql) {
  sqlite3_stmt *statement;
  int code = sqlite3_prepare_v3(of, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
  demand(code == SQLITE_OK, of, sql);
  return statement;
}

static void run(const char *sql) {
  demand(sqlite3_exec(file, sql, NULL, NULL, NULL) == SQLITE_OK, file, sql);
}

static void make(const char *log_pages) {
  char pragmas[512];
  int pages = atoi(log_pages);
  demand(pages > 0, NULL, "LOG_PAGES");
  snprintf(pragmas, sizeof pragmas,
           "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
           "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;"
           "PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d",
           pages, 2 * pages * 4096);
  run(pragmas);
  sqlite3_stmt *made = prepare(ledger, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND "
                                       "name NOT LIKE 'sqlite_%' ORDER BY type != 'table'");
  while (sqlite3_step(made) == SQLITE_ROW) run((const char *)sqlite3_column_text(made, 0));
  sqlite3_finalize(made);
}

static void prepare_all(void) {
  read_new = prepare(ledger, "SELECT * FROM journal WHERE sequence > ? ORDER BY sequence");
  begin = prepare(file, "BEGIN IMMEDIATE");
  commit = prepare(file, "COMMIT");
  columns = sqlite3_column_count(read_new);
  demand(columns > 0 && columns <= MOST, NULL, "columns");
  char sql[256] = "INSERT INTO journal VALUES (?";
  for (int at = 1; at < columns; at++) strcat(sql, ", ?");
  insert = prepare(file, strcat(sql, ")"));
}

static void read_rows(void) {
  int code;
  rows = 0;
  sqlite3_bind_int64(read_new, 1, last);
  while ((code = sqlite3_step(read_new)) == SQLITE_ROW) {
    if (rows == room) {
      room = room ? 2 * room : 1 << 14;
      cells = realloc(cells, room * (size_t)columns * sizeof *cells);
      demand(cells != NULL, NULL, "memory");
    }
    for (int at = 0; at < columns; at++) {
      struct cell *cell = &cells[rows * (size_t)columns + (size_t)at];
      int type = sqlite3_column_type(read_new, at);
      demand(type == SQLITE_INTEGER || type == SQLITE_NULL, NULL, "a column of integers");
      *cell = (struct cell){sqlite3_column_int64(read_new, at), type == SQLITE_NULL};
    }
    last = sqlite3_column_int64(read_new, 0);
    rows++;
  }
  demand(code == SQLITE_DONE, ledger, "read");
  sqlite3_reset(read_new);
}

static void step(sqlite3_stmt *statement) {
  demand(sqlite3_step(statement) == SQLITE_DONE, file, "write");
  sqlite3_reset(statement);
}

static void write_rows(size_t from, size_t each) {
  for (size_t row = from; row < rows; row++) {
    if ((row - from) % each == 0) step(begin);
    const struct cell *cell = &cells[row * (size_t)columns];
    for (int at = 0; at < columns; at++) {
      if (cell[at].is_null) {
        sqlite3_bind_null(insert, at + 1);
      } else {
        sqlite3_bind_int64(insert, at + 1, cell[at].value);
      }
    }
    step(insert);
    if ((row - from) % each == each - 1 || row == rows - 1) step(commit);
  }
}

static long long nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments) {
  demand(count == 4, NULL, "three arguments");
  demand(sqlite3_open_v2(arguments[1], &ledger, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK, ledger,
         arguments[1]);
  demand(sqlite3_open_v2(arguments[2], &file,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                         NULL) == SQLITE_OK,
         file, arguments[2]);
  make(arguments[3]);
  prepare_all();
  read_rows();
  write_rows(0, FIRST);
  run("PRAGMA wal_checkpoint(TRUNCATE)");
  printf("%zu 0 0\n", rows);
  fflush(stdout);
  char which[8];
  size_t each;
  while (scanf("%7s %zu", which, &each) == 2 && each > 0) {
    read_rows();
    size_t from = strcmp(which, "last") == 0 && rows > 0 ? rows - 1 : 0;
    long long cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID), wall = nanoseconds(CLOCK_MONOTONIC);
    write_rows(from, each);
    cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall = nanoseconds(CLOCK_MONOTONIC) - wall;
    printf("%zu %lld %lld\n", rows - from, cpu, wall);
    fflush(stdout);
  }
  return 0;
}
