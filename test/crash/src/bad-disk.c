// A disk that is slow, or fails once. Preloaded into the server; touches files below one directory only.
// HEIRLOOM_DISK          the directory
// HEIRLOOM_SLOW_MS       every write comes so many milliseconds late
// HEIRLOOM_FAIL_CALL     pwrite (the journal), write or fdatasync (LevelDB)
// HEIRLOOM_FAIL_TRIGGER  a file: the first such call after it appears fails with EIO, and the file is removed

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_on_disk(int fd) {
  const char *disk = getenv("HEIRLOOM_DISK");
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (disk == NULL || length < 0) return 0;
  path[length] = '\0';
  return strncmp(path, disk, strlen(disk)) == 0;
}

static int fails(const char *call, int fd) {
  const char *chosen = getenv("HEIRLOOM_FAIL_CALL");
  const char *trigger = getenv("HEIRLOOM_FAIL_TRIGGER");
  if (chosen == NULL || trigger == NULL || strcmp(chosen, call) != 0) return 0;
  if (access(trigger, F_OK) != 0 || !is_on_disk(fd) || unlink(trigger) != 0) return 0;
  errno = EIO;
  return 1;
}

static void wait_for_disk(int fd) {
  const char *slow = getenv("HEIRLOOM_SLOW_MS");
  if (slow != NULL && is_on_disk(fd)) usleep(atoi(slow) * 1000);
}

// The journal.
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (real == NULL) real = dlsym(RTLD_NEXT, "pwrite64");
  wait_for_disk(fd);
  return fails("pwrite", fd) ? -1 : real(fd, bytes, count, offset);
}

// LevelDB writes through the C library's streams.
int fflush_unlocked(FILE *stream) {
  static int (*real)(FILE *);
  if (real == NULL) real = dlsym(RTLD_NEXT, "fflush_unlocked");
  if (stream == NULL) return real(stream);
  wait_for_disk(fileno(stream));
  return fails("write", fileno(stream)) ? EOF : real(stream);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = dlsym(RTLD_NEXT, "fdatasync");
  return fails("fdatasync", fd) ? -1 : real(fd);
}
