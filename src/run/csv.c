/// Tables that grow row by row and can be truncated.
#include "run/csv.h"
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIMIT = 1 << 30 }; // bytes; far above the size of any table

static void make_header(CeliText *text, const char *const *columns, int n) {
  for (int i = 0; i < n; i++) celi_text_format(text, "%s%s", i ? "," : "", columns[i]);
  celi_text_format(text, "\n");
}

/// Appends all of the data, or leaves the file unchanged.
static CelStatus append(CeliCsv *csv, const char *data, size_t size) {
  const off_t before = lseek(csv->fd, 0, SEEK_END);
  if (before < 0) return celi_fail_errno(csv->path, "cannot be written", errno);
  for (size_t done = 0; done < size;) {
    const ssize_t n = write(csv->fd, data + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      if (ftruncate(csv->fd, before) != 0)
        return celi_fail_errno(csv->path, "cannot be truncated", errno);
      return celi_fail_errno(csv->path, "cannot be written", error);
    }
    done += (size_t)n;
  }
  return CEL_OK;
}

static CelStatus open_file(CeliCsv *csv, const CeliFolder *folder, const char *name, int n) {
  CEL_ASSERT(n > 0 && n <= CELI_CSV_COLUMNS);
  *csv = (CeliCsv){.fd = -1, .n = n};
  const size_t size = strlen(folder->path) + strlen(name) + 2;
  CELI_TRY(celi_alloc(&csv->path, size, 1, "path"));
  snprintf(csv->path, size, "%s/%s", folder->path, name);
  const CelStatus status = celi_folder_open_file(folder, name, O_RDWR | O_CREAT, &csv->fd);
  if (status != CEL_OK) celi_csv_close(csv);
  return status;
}

static CelStatus start(CeliCsv *csv, const char *const *columns, int n) {
  CeliText header = {0};
  make_header(&header, columns, n);
  CelStatus status = celi_text_status(&header);
  if (status == CEL_OK) status = append(csv, header.data, header.size);
  celi_text_free(&header);
  if (status != CEL_OK) celi_csv_close(csv);
  return status;
}

CelStatus celi_csv_create(CeliCsv *csv, const CeliFolder *folder, const char *name,
                          const char *const *columns, int n) {
  *csv = (CeliCsv){.fd = -1};
  CELI_TRY(celi_file_write_in(folder, name, "", 0));
  CELI_TRY(open_file(csv, folder, name, n));
  return start(csv, columns, n);
}

/// Reads the cells of one line. Returns false if it is not a row of n numbers.
static bool parse_row(char *line, int n, double *values) {
  char *cell = line;
  for (int i = 0; i < n; i++) {
    char *end = cell + strcspn(cell, ",");
    if ((*end == ',') != (i + 1 < n)) return false;
    *end = 0;
    values[i] = (double)NAN;
    if (*cell && celi_parse_double(cell, &values[i]) != CELI_NUMBER_OK) return false;
    cell = end + 1;
  }
  return true;
}

/// Finds the number of bytes that the header and the rows up to `step` take.
static CelStatus find_cut(const CeliCsv *csv, char *text, size_t header, int64_t step, double *last,
                          size_t *keep) {
  double values[CELI_CSV_COLUMNS] = {0};
  char *line = text + header;
  *keep = header;
  for (int number = 2;; number++) {
    char *end = strchr(line, '\n');
    if (!end) return CEL_OK; // an incomplete row
    *end = 0;
    if (!parse_row(line, csv->n, values) || isnan(values[0]))
      return cel_fail(CEL_E_FORMAT,
                      "%s: line %d is not a row of %d numbers; move the file away, then resume",
                      csv->path, number, csv->n);
    if (values[0] > (double)step) return CEL_OK;
    memcpy(last, values, (size_t)csv->n * sizeof *last);
    line = end + 1;
    *keep = (size_t)(line - text);
  }
}

static CelStatus cut_back(CeliCsv *csv, const char *header, size_t header_size, int64_t step,
                          double *last, size_t *keep) {
  char *text = NULL;
  size_t size = 0;
  CELI_TRY(celi_file_read_fd(csv->fd, csv->path, LIMIT, &text, &size));
  CelStatus status = CEL_OK;
  *keep = 0;
  if (size >= header_size && memcmp(text, header, header_size) == 0)
    status = find_cut(csv, text, header_size, step, last, keep);
  else if (memchr(text, '\n', size))
    status = cel_fail(
        CEL_E_FORMAT,
        "%s: its columns differ from those of this version; move the file away, then resume",
        csv->path);
  free(text);
  if (status == CEL_OK && ftruncate(csv->fd, (off_t)*keep) != 0)
    status = celi_fail_errno(csv->path, "cannot be truncated", errno);
  return status;
}

CelStatus celi_csv_resume(CeliCsv *csv, const CeliFolder *folder, const char *name,
                          const char *const *columns, int n, int64_t step, double *last) {
  CeliText header = {0};
  size_t keep = 0;
  for (int i = 0; i < n; i++) last[i] = (double)NAN;
  CELI_TRY(open_file(csv, folder, name, n));
  make_header(&header, columns, n);
  CelStatus status = celi_text_status(&header);
  if (status == CEL_OK) status = cut_back(csv, header.data, header.size, step, last, &keep);
  celi_text_free(&header);
  if (status != CEL_OK) {
    celi_csv_close(csv);
    return status;
  }
  return keep ? CEL_OK : start(csv, columns, n);
}

static void add_number(CeliText *text, double value) {
  char number[CELI_NUMBER_MAX];
  if (isnan(value)) return;
  if (value == floor(value) && fabs(value) < 9e15)
    celi_text_format(text, "%lld", (long long)value);
  else
    celi_text_format(text, "%s", celi_double_text(number, value));
}

CelStatus celi_csv_row(CeliCsv *csv, const double *values) {
  CeliText text = {0};
  for (int i = 0; i < csv->n; i++) {
    if (i) celi_text_format(&text, ",");
    add_number(&text, values[i]);
  }
  celi_text_format(&text, "\n");
  CelStatus status = celi_text_status(&text);
  if (status == CEL_OK) status = append(csv, text.data, text.size);
  celi_text_free(&text);
  return status;
}

CelStatus celi_csv_sync(CeliCsv *csv) {
  if (csv->fd >= 0 && fdatasync(csv->fd) != 0)
    return celi_fail_errno(csv->path, "cannot be synced", errno);
  return CEL_OK;
}

void celi_csv_close(CeliCsv *csv) {
  if (csv->path && csv->fd >= 0) close(csv->fd);
  free(csv->path);
  *csv = (CeliCsv){.fd = -1};
}
