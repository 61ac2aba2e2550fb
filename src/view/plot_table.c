/// Reading tables of runs: a header and rows of comma-separated numbers.
#include "base/base.h"
#include "view/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 256 };
#define SIZE_LIMIT ((size_t)1 << 28)

/// Replaces the end of the line, and a carriage return, by zeros. Returns the start of the next
/// line.
static char *end_line(char *line) {
  char *end = line;
  while (*end != '\n')
    end++; // a line feed exists; sanitizers would make strchr scan the whole file
  *end = 0;
  if (end > line && end[-1] == '\r') end[-1] = 0;
  return end + 1;
}

/// Replaces the end of the cell by a zero. Returns the start of the next cell, or NULL after the
/// last.
static char *end_cell(char *cell) {
  char *comma = strchr(cell, ',');
  if (!comma) return NULL;
  *comma = 0;
  return comma + 1;
}

static CelStatus parse_header(CeliTable *table, char *line) {
  int n = 1;
  for (const char *c = line; *c; c++) n += *c == ',';
  if (n > COLUMNS_MAX)
    return cel_fail(CEL_E_FORMAT, "%s: line 1: more than %d columns, the limit", table->path,
                    COLUMNS_MAX);
  CELI_TRY(celi_alloc(&table->names, (size_t)n, sizeof *table->names, "column names"));
  for (char *cell = line; cell;) {
    char *next = end_cell(cell);
    if (!*cell || strlen(cell) > 128 || !celi_utf8_valid(cell, strlen(cell)) ||
        !celi_text_plain(cell))
      return cel_fail(CEL_E_FORMAT,
                      "%s: line 1: the name of column %d is empty or contains control characters",
                      table->path, table->n + 1);
    if (celi_table_column(table, cell) >= 0)
      return cel_fail(CEL_E_FORMAT, "%s: line 1: two columns have the name '%s'", table->path,
                      cell);
    table->names[table->n++] = cell;
    cell = next;
  }
  return CEL_OK;
}

static CelStatus parse_row(const CeliTable *table, char *line, int64_t number, double *values) {
  int i = 0;
  for (char *cell = line, *next; cell; cell = next, i++) {
    next = end_cell(cell);
    if (i >= table->n) continue; // counts the extra cells
    values[i] = (double)NAN;
    if (*cell && celi_parse_double(cell, &values[i]) != CELI_NUMBER_OK) {
      // The message shows the cell only if it is printable.
      const bool plain = celi_utf8_valid(cell, strlen(cell)) && celi_text_plain(cell);
      return cel_fail(CEL_E_FORMAT,
                      "%s: line %lld: column '%s' must have a number, but it has %s%.40s%s",
                      table->path, (long long)number, table->names[i],
                      plain ? "'" : "bytes that are not text", plain ? cell : "", plain ? "'" : "");
    }
  }
  if (i == table->n) return CEL_OK;
  return cel_fail(CEL_E_FORMAT, "%s: line %lld has %d cell%s; it must have %d", table->path,
                  (long long)number, i, celi_s(i), table->n);
}

static CelStatus parse(CeliTable *table, size_t size) {
  char *end = size ? memrchr(table->text, '\n', size) : NULL;
  if (!end) return CEL_OK; // the header is incomplete
  end[1] = 0;
  if (strlen(table->text) != (size_t)(end + 1 - table->text))
    return cel_fail(CEL_E_FORMAT, "%s: the file contains zero bytes and is not a table",
                    table->path);
  int64_t lines = 0;
  for (const char *c = table->text; c <= end; c++) lines += *c == '\n';
  char *line = table->text, *next = end_line(line);
  CELI_TRY(parse_header(table, line));
  size_t cells;
  if (!celi_size_mul((size_t)(lines - 1), (size_t)table->n, &cells))
    return cel_fail(CEL_E_MEMORY, "%s: the table has too many cells", table->path);
  CELI_TRY(celi_alloc(&table->values, cells, sizeof *table->values, "a table's values"));
  for (; table->rows < lines - 1; table->rows++) {
    line = next;
    next = end_line(line);
    CELI_TRY(parse_row(table, line, table->rows + 2, table->values + table->rows * table->n));
  }
  return CEL_OK;
}

CelStatus celi_table_read(CeliTable *table, const char *path) {
  size_t size;
  *table = (CeliTable){0};
  CELI_TRY(celi_file_read(path, SIZE_LIMIT, &table->text, &size));
  table->path = strdup(path);
  CelStatus status = table->path
                         ? CEL_OK
                         : cel_fail(CEL_E_MEMORY, "%s: not enough memory to read the table", path);
  if (status == CEL_OK) status = parse(table, size);
  if (status != CEL_OK) celi_table_free(table);
  return status;
}

void celi_table_free(CeliTable *table) {
  free(table->path);
  free(table->text);
  free(table->names);
  free(table->values);
  *table = (CeliTable){0};
}

int celi_table_column(const CeliTable *table, const char *name) {
  for (int i = 0; i < table->n; i++)
    if (strcmp(table->names[i], name) == 0) return i;
  return -1;
}

CelStatus celi_table_series(const CeliTable *table, int x, int y, CeliSeries *out) {
  *out = (CeliSeries){0};
  CELI_TRY(celi_alloc(&out->x, (size_t)table->rows, sizeof *out->x, "a series"));
  CelStatus status = celi_alloc(&out->y, (size_t)table->rows, sizeof *out->y, "a series");
  for (int64_t i = 0; i < table->rows && status == CEL_OK; i++) {
    const double *row = table->values + i * table->n;
    if (!isfinite(row[x]) || !isfinite(row[y])) continue;
    if (out->n && row[x] < out->x[out->n - 1])
      status = cel_fail(CEL_E_FORMAT, "%s: line %lld: '%s' decreases, so it cannot be the x axis",
                        table->path, (long long)i + 2, table->names[x]);
    out->x[out->n] = row[x];
    out->y[out->n++] = row[y];
  }
  if (status != CEL_OK) celi_series_free(out);
  return status;
}

void celi_series_free(CeliSeries *series) {
  free(series->x);
  free(series->y);
  *series = (CeliSeries){0};
}
