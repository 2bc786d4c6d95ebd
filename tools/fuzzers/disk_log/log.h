// Loaded into the server (LD_PRELOAD): writes down, in order, all that happens to the files of one
// folder, and ends the process at a chosen moment. What a power cut would have left is made from
// this log, by disk.py, once the process is dead: no thread of it can see or tell what follows.
//
// Each call on such a file takes one lock, works, and is logged before the lock is given back, so
// that the log's order is the disk's. A sync is two records: writes logged after the first are not
// covered by it, whatever thread made them; with the second the disk has promised the others.
// Nothing is really synced: of a process that is killed the kernel keeps all, and the disk of a
// power cut is the log's. The lock is not held while a sync waits, so that others can write then.
//
// Not modelled, and therefore an abort: folders in the folder, files mapped to be written other
// than SQLite's index (-shm: never durable, its content is not logged), O_SYNC, O_TMPFILE,
// fallocate. Calls that pass by unseen (on a copied descriptor, say) are found by disk.py, which
// compares the folder with the log.
//
// DISK_LOG_FOLDER     the folder, absolute, without links; it may not be there yet
// DISK_LOG_FILE       the log, outside of it; begun anew
// DISK_LOG_STOP       KIND:N = SIGKILL once the N-th record of this kind is logged, * = of any;
//                     or - = never
// DISK_LOG_SYNC_US    how long a sync takes at most, microseconds
// DISK_LOG_SQL        run by SQLite after the statements that set up the owner's connection
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum disk_place { ELSEWHERE, A_FILE, THE_FOLDER, ITS_PARENT, THE_INDEX };

// Then `length` bytes of data or names. disk.py reads the same: "<BBHIQQ".
struct disk_record {
  // Create, Write, Truncate, Begin and End of a sync, Unlink, Rename (old NUL new), Make the
  // folder, Stop.
  uint8_t kind;
  uint8_t place;
  uint16_t zero;
  uint32_t length;
  // Of a file.
  uint64_t inode;
  // C, M: mode; W: offset; T: the new length; B, E: which sync.
  uint64_t number;
};

// What a descriptor stands for. Without the lock.
enum disk_place disk_place_of(int file);

// The thread that has it may take it again. All that follows is called with it.
void disk_lock(void);
void disk_unlock(void);

void disk_remember(int file, enum disk_place place, uint64_t inode);
uint64_t disk_inode_of(int file);

// Where an absolute path without links leads; `name`: its part within the folder.
enum disk_place disk_classify(const char *path, const char **name);
// Where a call's path leads, whose last part need not be there. `room`: PATH_MAX bytes.
enum disk_place disk_resolve(int at, const char *path, char *room, const char **name);

// Logs the first `length` bytes of `data`. Does not return from the record that is the last.
void disk_note(char kind, enum disk_place place, uint64_t inode, uint64_t number,
               const struct iovec *data, int count, size_t length);
void disk_note_text(char kind, enum disk_place place, uint64_t inode, uint64_t number,
                    const char *text, size_t length);

// A fault of the log's, not of the server's: ends the process with a message.
void disk_fail(const char *text, const char *subject) __attribute__((noreturn));
