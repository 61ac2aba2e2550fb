/// Tables that grow row by row and can be truncated: progress.csv and evaluations.csv.
///
/// The first column is the step. Each row is written by one call. When a run is resumed, rows after
/// the checkpoint and an incomplete row of a killed process are removed.
#ifndef CELI_RUN_CSV_H
#define CELI_RUN_CSV_H
#include "base/file.h"
#include <stdint.h>

#define CELI_CSV_COLUMNS 64

typedef struct CeliCsv {
  int fd; ///< -1: not open
  char *path;
  int n; ///< number of columns
} CeliCsv;

/// Creates a table, and replaces an existing file. Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_csv_create(CeliCsv *csv, const CeliFolder *folder, const char *name,
                          const char *const *columns, int n) CEL_WARN_UNUSED;
/// Opens a table to append to it, and removes the rows after `step`. Creates a missing file.
/// last (n,): values of the last remaining row, NAN for empty cells or if there is no row.
/// Errors: CEL_E_IO, CEL_E_FORMAT (other columns, or a line that is not a row), CEL_E_MEMORY.
CelStatus celi_csv_resume(CeliCsv *csv, const CeliFolder *folder, const char *name,
                          const char *const *columns, int n, int64_t step,
                          double *last) CEL_WARN_UNUSED;
/// Appends values (n,). NAN becomes an empty cell. Errors: CEL_E_IO (the table is unchanged),
/// CEL_E_MEMORY.
CelStatus celi_csv_row(CeliCsv *csv, const double *values) CEL_WARN_UNUSED;
/// Flushes the table to disk. Errors: CEL_E_IO.
CelStatus celi_csv_sync(CeliCsv *csv) CEL_WARN_UNUSED;
void celi_csv_close(CeliCsv *csv);

#endif
