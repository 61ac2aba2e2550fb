/// Any bytes as the table of a run. Appends to it if its columns fit, and reads it as plots do.
#include "fuzz/fuzz_file.h"
#include "run/csv.h"
#include "view/plot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(const char *path, const uint8_t *data, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
}

static void read_table(const char *path) {
  CeliTable table;
  if (celi_table_read(&table, path) != CEL_OK) {
    if (cel_error()[0] == 0) abort();
    return;
  }
  for (int y = 0; y < table.n && y < 3; y++) {
    CeliSeries series;
    if (celi_table_series(&table, 0, y, &series) != CEL_OK) continue;
    for (int64_t i = 1; i < series.n; i++)
      if (!(series.x[i] >= series.x[i - 1])) abort();
    celi_series_free(&series);
  }
  celi_table_free(&table);
}

/// A table that was cut back can be appended to again, at the same row.
static void resume(const char *name, int64_t step) {
  static const char *const columns[] = {"step", "a", "b"};
  double last[3], again[3];
  CeliFolder folder;
  CeliCsv csv;
  if (celi_folder_open(&folder, fuzz_folder()) != CEL_OK) abort();
  if (celi_csv_resume(&csv, &folder, name, columns, 3, step, last) != CEL_OK) {
    if (cel_error()[0] == 0) abort();
    celi_folder_close(&folder);
    return;
  }
  celi_csv_close(&csv);
  if (celi_csv_resume(&csv, &folder, name, columns, 3, step, again) != CEL_OK) abort();
  if (memcmp(last, again, sizeof last) != 0) abort();
  const double row[] = {last[0] > 0 ? last[0] : 0, 1, 2};
  if (celi_csv_row(&csv, row) != CEL_OK) abort();
  celi_csv_close(&csv);
  celi_folder_close(&folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[96];
  if (size < 1) return 0;
  snprintf(path, sizeof path, "%s/table.csv", fuzz_folder());
  put(path, data + 1, size - 1);
  read_table(path);
  resume("table.csv", data[0]);
  return 0;
}
