/// Sizes without overflow, allocation with messages, and the available memory.
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

bool celi_size_mul(size_t a, size_t b, size_t *out) {
  size_t product;
  if (__builtin_mul_overflow(a, b, &product)) return false;
  *out = product;
  return true;
}

bool celi_size_add(size_t a, size_t b, size_t *out) {
  size_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return false;
  *out = sum;
  return true;
}

bool celi_size_round(size_t a, size_t to, size_t *out) {
  size_t sum;
  if (!celi_size_add(a, to - 1, &sum)) return false;
  *out = sum & ~(to - 1);
  return true;
}

CelStatus celi_memory_room(size_t bytes, void *old, const char *what) {
  static const size_t small = (size_t)16 << 20; // bytes; smaller sizes are not checked
  if (bytes <= small) return CEL_OK;
  const size_t held = old ? malloc_usable_size(old) : 0;
  if (bytes <= held) return CEL_OK;
  const char *limit = "";
  const size_t available = celi_memory_available(&limit);
  if (bytes - held <= available) return CEL_OK;
  char needed[CELI_NUMBER_MAX], left[CELI_NUMBER_MAX];
  return cel_fail(CEL_E_MEMORY, "%s: %s of memory are needed, but %s is %s", what,
                  celi_bytes_text(needed, bytes - held), limit, celi_bytes_text(left, available));
}

CelStatus celi_calloc(void *out, size_t n, size_t size, const char *what) {
  size_t bytes;
  if (!celi_size_mul(n, size, &bytes) || bytes > PTRDIFF_MAX)
    return cel_fail(CEL_E_MEMORY, "%s: %zu elements of %zu bytes exceed the address space", what, n,
                    size);
  CELI_TRY(celi_memory_room(bytes, NULL, what));
  void *block = calloc(bytes > 0 ? bytes : 1, 1);
  if (block == NULL)
    return cel_fail(CEL_E_MEMORY, "%s: not enough memory for %zu bytes", what, bytes);
  memcpy(out, &block, sizeof block);
  return CEL_OK;
}

CelStatus celi_alloc(void *out, size_t n, size_t size, const char *what) {
  void *block = NULL;
  CELI_TRY(celi_resize(&block, n, size, what));
  memcpy(out, &block, sizeof block);
  return CEL_OK;
}

CelStatus celi_resize(void *out, size_t n, size_t size, const char *what) {
  size_t bytes;
  void *old;
  memcpy(&old, out, sizeof old); // out points to a pointer of any type
  if (!celi_size_mul(n, size, &bytes) || bytes > PTRDIFF_MAX)
    return cel_fail(CEL_E_MEMORY, "%s: %zu elements of %zu bytes exceed the address space", what, n,
                    size);
  CELI_TRY(celi_memory_room(bytes, old, what));
  void *block = realloc(old, bytes > 0 ? bytes : 1);
  if (block == NULL)
    return cel_fail(CEL_E_MEMORY, "%s: not enough memory for %zu bytes", what, bytes);
  memcpy(out, &block, sizeof block);
  return CEL_OK;
}

// Reads the first bytes of a file of /proc or /sys and adds a zero. Returns false on failure.
static bool read_small(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t used = 0;
  while (used + 1 < size) {
    ssize_t n = read(fd, text + used, size - 1 - used);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    used += (size_t)n;
  }
  text[used] = 0;
  close(fd);
  return used > 0;
}

// Finds the number after `key` at the start of a line of `text`. Returns false if there is none.
static bool number_after(const char *text, const char *key, uint64_t *out) {
  size_t n = strlen(key);
  for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncmp(line, key, n) != 0) continue;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(line + n, &end, 10);
    if (end == line + n || errno != 0) return false;
    *out = value;
    return true;
  }
  return false;
}

static bool read_number(const char *path, uint64_t *out) {
  char text[64];
  return read_small(path, text, sizeof text) && number_after(text, "", out);
}

// Lowers *least to `value` if that is smaller, and sets *limit to its name.
static void lower(uint64_t value, const char *why, uint64_t *least, const char **limit) {
  if (value >= *least) return;
  *least = value;
  *limit = why;
}

// Buffers for reading the control groups. They are too large for a small stack.
typedef struct Groups {
  char text[8192], stat[8192];
  char folder[PATH_MAX], path[PATH_MAX + 64];
} Groups;

// Lowers *least to what one control group leaves: its limit minus its use. Inactive file pages do
// not count as used, because the kernel can drop them.
static void lower_by_group(Groups *g, const char *max, const char *current, const char *inactive,
                           uint64_t *least, const char **limit) {
  uint64_t most, used, cache = 0;
  snprintf(g->path, sizeof g->path, "%s/%s", g->folder, max);
  if (!read_number(g->path, &most)) return; // no such group, or the limit is "max"
  snprintf(g->path, sizeof g->path, "%s/%s", g->folder, current);
  if (!read_number(g->path, &used)) return;
  snprintf(g->path, sizeof g->path, "%s/memory.stat", g->folder);
  if (read_small(g->path, g->stat, sizeof g->stat)) number_after(g->stat, inactive, &cache);
  used = used > cache ? used - cache : 0;
  lower(most > used ? most - used : 0, "what is left of the control group's memory limit", least,
        limit);
}

// Visits the process's group and all its parents in the hierarchy that is mounted at `root`.
static void lower_by_groups(Groups *g, const char *root, const char *group, bool v2,
                            uint64_t *least, const char **limit) {
  int n = snprintf(g->folder, sizeof g->folder, "%s%s", root, group);
  if (n < 0 || n >= (int)sizeof g->folder) return;
  for (;;) {
    if (v2)
      lower_by_group(g, "memory.max", "memory.current", "inactive_file ", least, limit);
    else
      lower_by_group(g, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ",
                     least, limit);
    char *slash = strrchr(g->folder, '/');
    if (slash == NULL || (size_t)(slash - g->folder) < strlen(root)) return;
    *slash = 0;
  }
}

static void lower_by_all_groups(Groups *g, uint64_t *least, const char **limit) {
  if (!read_small("/proc/self/cgroup", g->text, sizeof g->text)) return;
  char *rest = NULL;
  for (char *line = strtok_r(g->text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    char *controllers = strchr(line, ':'); // "ID:CONTROLLERS:/GROUP"
    if (controllers == NULL) continue;
    char *group = strchr(controllers + 1, ':');
    if (group == NULL) continue;
    *group++ = 0;
    if (strcmp(controllers, ":") == 0)
      lower_by_groups(g, "/sys/fs/cgroup", group, true, least, limit);
    else if (strcmp(controllers, ":memory") == 0)
      lower_by_groups(g, "/sys/fs/cgroup/memory", group, false, least, limit);
  }
}

size_t celi_memory_available(const char **limit) {
  const char *why = "an unknown limit";
  uint64_t least = UINT64_MAX, number;
  Groups *g = malloc(sizeof *g);
  if (g != NULL && read_small("/proc/meminfo", g->text, sizeof g->text) &&
      number_after(g->text, "MemAvailable:", &number))
    lower(number * 1024, "the machine's available memory", &least, &why);
  if (g != NULL) lower_by_all_groups(g, &least, &why);
  free(g);
  struct rlimit space;
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
    uint64_t pages = 0;
    if (read_number("/proc/self/statm", &pages)) {
      uint64_t used = pages * (uint64_t)sysconf(_SC_PAGESIZE);
      lower(space.rlim_cur > used ? space.rlim_cur - used : 0,
            "what is left of the address space limit (ulimit -v)", &least, &why);
    }
  }
  if (limit != NULL) *limit = why;
  return least > SIZE_MAX ? SIZE_MAX : (size_t)least;
}
