/// Tables that grow a row at a time and can be cut back: progress.csv and evaluations.csv.
///
/// The first column is the step. A row is written with one call and is on disk or is not; what a
/// killed process left half-written, and what lies past the checkpoint that a run goes on from, is
/// cut off when the table is opened again.
#ifndef CELI_RUN_CSV_H
#define CELI_RUN_CSV_H
#include "base/file.h"
#include <stdint.h>

#define CELI_CSV_COLUMNS 64

typedef struct CeliCsv {
  int fd; ///< -1: not open
  char *path;
  int n; ///< columns
} CeliCsv;

/// Starts a new table (an old file is replaced). Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_csv_create(CeliCsv *csv, const CeliFolder *folder, const char *name,
                          const char *const *columns, int n) CEL_WARN_UNUSED;
/// Opens a table to go on after `step`: later rows are cut off. A missing file is started anew.
/// last (n,) the values of the last row kept, NAN where empty or when there is none. Errors:
/// CEL_E_IO, CEL_E_FORMAT (other columns; a line that is no row), CEL_E_MEMORY.
CelStatus celi_csv_resume(CeliCsv *csv, const CeliFolder *folder, const char *name,
                          const char *const *columns, int n, int64_t step,
                          double *last) CEL_WARN_UNUSED;
/// Appends values (n,); NAN is an empty cell. Errors: CEL_E_IO (the table stays as it was),
/// CEL_E_MEMORY.
CelStatus celi_csv_row(CeliCsv *csv, const double *values) CEL_WARN_UNUSED;
/// Makes sure that it is on disk. Errors: CEL_E_IO.
CelStatus celi_csv_sync(CeliCsv *csv) CEL_WARN_UNUSED;
void celi_csv_close(CeliCsv *csv);

#endif
