/// TensorBoard event files: scalars by tag and step, in TFRecord framing.
///
/// A record holds, in this order:
///     length of the event       8 bytes, little-endian
///     CRC-32C of these 8 bytes  4 bytes, masked
///     the event                 `length` bytes
///     CRC-32C of the event      4 bytes, masked
/// The mask rotates right by 15 bits and adds a constant. It keeps checksums strong for data that
/// itself contains checksums.
#include "run/tensorboard.h"
#include "base/base.h"

#ifdef CELSIUS_WITH_PROTOBUF
#include "events.pb-c.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "events.out.tfevents."
enum { BLOCK = 1 << 16 };         // bytes of events in memory before a write
static const double PATIENCE = 1; // seconds between writes while events arrive

struct CeliEvents {
  int fd;
  CeliText path;
  CeliText waiting; ///< complete records in memory
  off_t written;    ///< bytes of complete records in the file
  double last;      ///< wall time of the last write, seconds
};

// ---- records

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), four bits per step.
static uint32_t crc32c(const uint8_t *data, size_t n) {
  static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                     0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                     0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                     0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < n; i++) {
    crc ^= data[i];
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return ~crc;
}

static void put_little(uint8_t *out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> 8 * i);
}

static void put_checksum(uint8_t out[4], const uint8_t *data, size_t n) {
  const uint32_t crc = crc32c(data, n);
  put_little(out, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
}

/// Appends an event's record to those in memory.
static CelStatus add_event(CeliEvents *events, const Celi__Events__Event *event) {
  const size_t n = celi__events__event__get_packed_size(event);
  uint8_t *record;
  CELI_TRY(celi_alloc(&record, 12 + n + 4, 1, "an event"));
  put_little(record, n, 8);
  put_checksum(record + 8, record, 8);
  (void)celi__events__event__pack(event, record + 12);
  put_checksum(record + 12 + n, record + 12, n);
  celi_text_add(&events->waiting, (const char *)record, 12 + n + 4);
  free(record);
  return celi_text_status(&events->waiting);
}

static double wall_time(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// ---- the file

/// Writes the records in memory. After an error, truncates the file to complete records.
static CelStatus write_waiting(CeliEvents *events) {
  size_t done = 0;
  while (done < events->waiting.size) {
    const ssize_t n = write(events->fd, events->waiting.data + done, events->waiting.size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      if (ftruncate(events->fd, events->written) != 0 ||
          lseek(events->fd, events->written, SEEK_SET) < 0)
        return celi_fail_errno(events->path.data, "cannot be truncated", errno);
      return celi_fail_errno(events->path.data, "cannot be written", error);
    }
    done += (size_t)n;
  }
  events->written += (off_t)done;
  events->waiting.size = 0;
  events->last = wall_time();
  return CEL_OK;
}

/// The seconds for the name of a new file: now, but later than those of every existing file,
/// because TensorBoard reads files in the order of their names.
static int64_t name_seconds(const char *folder) {
  int64_t seconds = (int64_t)time(NULL);
  DIR *dir = opendir(folder);
  for (const struct dirent *entry; dir && (entry = readdir(dir));) {
    int64_t earlier;
    if (sscanf(entry->d_name, PREFIX "%10" SCNd64, &earlier) == 1 && earlier >= seconds)
      seconds = earlier + 1;
  }
  if (dir) closedir(dir);
  return seconds;
}

static CelStatus create_file(CeliEvents *events, const CeliFolder *folder) {
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) != 0 || !host[0]) snprintf(host, sizeof host, "localhost");
  for (char *c = host; *c; c++)
    if (*c == '/') *c = '-';
  celi_text_format(&events->path, "%s/" PREFIX "%010" PRId64 ".%s.%ld.0", folder->path,
                   name_seconds(folder->path), host, (long)getpid());
  CELI_TRY(celi_text_status(&events->path));
  return celi_folder_open_file(folder, strrchr(events->path.data, '/') + 1,
                               O_WRONLY | O_CREAT | O_EXCL, &events->fd);
}

static CelStatus add_opening(CeliEvents *events, int64_t purge_step) {
  Celi__Events__Event event = CELI__EVENTS__EVENT__INIT;
  event.wall_time = wall_time();
  event.what_case = CELI__EVENTS__EVENT__WHAT_FILE_VERSION;
  event.file_version = (char[]){"brain.Event:2"};
  CELI_TRY(add_event(events, &event));
  if (purge_step < 0) return CEL_OK;
  Celi__Events__SessionLog start = CELI__EVENTS__SESSION_LOG__INIT;
  start.status = CELI__EVENTS__SESSION_LOG__STATUS__START;
  event.step = purge_step;
  event.what_case = CELI__EVENTS__EVENT__WHAT_SESSION_LOG;
  event.session_log = &start;
  return add_event(events, &event);
}

static void release(CeliEvents *events) {
  if (events->fd >= 0) close(events->fd);
  celi_text_free(&events->path);
  celi_text_free(&events->waiting);
  free(events);
}

CelStatus celi_events_open(CeliEvents **out, const CeliFolder *folder, int64_t purge_step) {
  CeliEvents *events;
  *out = NULL;
  CELI_TRY(celi_alloc(&events, 1, sizeof *events, "an event file"));
  *events = (CeliEvents){.fd = -1};
  CelStatus status = create_file(events, folder);
  if (status == CEL_OK) {
    status = add_opening(events, purge_step);
    if (status == CEL_OK) status = write_waiting(events);
    if (status != CEL_OK) unlink(events->path.data);
  }
  if (status == CEL_OK)
    *out = events;
  else
    release(events);
  return status;
}

CelStatus celi_events_scalar(CeliEvents *events, const char *tag, int64_t step, double value) {
  Celi__Events__Summary__Value scalar = CELI__EVENTS__SUMMARY__VALUE__INIT;
  Celi__Events__Summary__Value *values[] = {&scalar};
  Celi__Events__Summary summary = CELI__EVENTS__SUMMARY__INIT;
  Celi__Events__Event event = CELI__EVENTS__EVENT__INIT;
  char text[256];
  if (snprintf(text, sizeof text, "%s", tag) >= (int)sizeof text)
    return cel_fail(CEL_E_RANGE, "the tag '%.40s...' is too long; the limit is %zu bytes", tag,
                    sizeof text - 1);
  scalar.tag = text;
  scalar.value_case = CELI__EVENTS__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
  scalar.simple_value = (float)value;
  summary.n_value = 1;
  summary.value = values;
  event.wall_time = wall_time();
  event.step = step;
  event.what_case = CELI__EVENTS__EVENT__WHAT_SUMMARY;
  event.summary = &summary;
  CELI_TRY(add_event(events, &event));
  const bool due = events->waiting.size >= BLOCK || event.wall_time > events->last + PATIENCE;
  return due ? write_waiting(events) : CEL_OK;
}

CelStatus celi_events_flush(CeliEvents *events) {
  CELI_TRY(write_waiting(events));
  if (fdatasync(events->fd) != 0 &&
      errno != EINVAL) // EINVAL: the file system does not support syncing
    return celi_fail_errno(events->path.data, "cannot be synced", errno);
  return CEL_OK;
}

CelStatus celi_events_close(CeliEvents *events) {
  if (!events) return CEL_OK;
  const CelStatus status = celi_events_flush(events);
  release(events);
  return status;
}

#else

CelStatus celi_events_open(CeliEvents **out, const CeliFolder *folder, int64_t purge_step) {
  (void)folder;
  (void)purge_step;
  *out = NULL;
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "this build cannot write TensorBoard events; install protobuf-c (Debian: libprotobuf-c-dev "
      "and protobuf-c-compiler) and rebuild, or set tensorboard to false");
}

CelStatus celi_events_scalar(CeliEvents *events, const char *tag, int64_t step, double value) {
  (void)events;
  (void)tag;
  (void)step;
  (void)value;
  return cel_fail(CEL_E_STATE, "no event file is open");
}

CelStatus celi_events_flush(CeliEvents *events) {
  (void)events;
  return cel_fail(CEL_E_STATE, "no event file is open");
}

CelStatus celi_events_close(CeliEvents *events) {
  (void)events;
  return CEL_OK;
}

#endif
