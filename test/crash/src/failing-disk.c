// A disk that fails once: preloaded into the server, it makes one call on a file below a directory fail.
// HEIRLOOM_FAIL_CALL     write or fdatasync
// HEIRLOOM_FAIL_BELOW    the directory
// HEIRLOOM_FAIL_TRIGGER  a file: the first such call after it appears fails with EIO, and the file is removed

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(const char *call, int fd) {
  const char *chosen = getenv("HEIRLOOM_FAIL_CALL");
  const char *below = getenv("HEIRLOOM_FAIL_BELOW");
  const char *trigger = getenv("HEIRLOOM_FAIL_TRIGGER");
  if (chosen == NULL || below == NULL || trigger == NULL || strcmp(chosen, call) != 0) return 0;
  if (access(trigger, F_OK) != 0) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  if (strncmp(path, below, strlen(below)) != 0 || unlink(trigger) != 0) return 0;
  errno = EIO;
  return 1;
}

// LevelDB writes through the C library's streams.
int fflush_unlocked(FILE *stream) {
  static int (*real)(FILE *);
  if (real == NULL) real = dlsym(RTLD_NEXT, "fflush_unlocked");
  return stream != NULL && fails("write", fileno(stream)) ? EOF : real(stream);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = dlsym(RTLD_NEXT, "fdatasync");
  return fails("fdatasync", fd) ? -1 : real(fd);
}
