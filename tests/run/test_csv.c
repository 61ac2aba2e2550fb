/// Tables: numbers read back to the same bits; rows after a step and incomplete rows are cut off.
#include "run_test.h"

#include <fcntl.h>

#include "run/csv.h"

#include <math.h>

static const CeliFolder here = {AT_FDCWD, (char[]){"."}};

static const char *const columns[] = {"step", "a", "b"};

static void expect_file(const char *path, const char *expected) {
  char *text = read_text(path);
  assert_string_equal(text, expected);
  free(text);
}

static void numbers_come_back(void **state) {
  (void)state;
  const double values[] = {0.1, 1.0 / 3, 1e300, 5e-324, -2.5, 123456789012345., 1e17, (double)0.1f};
  CeliCsv csv;
  OK(celi_csv_create(&csv, &here, "t.csv", columns, 3));
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    OK(celi_csv_row(&csv, (double[]){(double)i, values[i], (double)NAN}));
  celi_csv_close(&csv);
  FILE *file = fopen("t.csv", "r");
  char line[256];
  assert_non_null(fgets(line, sizeof line, file));
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    assert_non_null(fgets(line, sizeof line, file));
    char *a = strchr(line, ',') + 1, *end;
    assert_true(strtod(a, &end) == values[i]);
    assert_string_equal(end, ",\n"); // NAN is an empty cell
  }
  fclose(file);
}

static void later_rows_are_cut(void **state) {
  (void)state;
  CeliCsv csv;
  double last[3];
  write_text("t.csv", "step,a,b\n10,1,\n20,2,7\n30,3,8\n40,4");
  OK(celi_csv_resume(&csv, &here, "t.csv", columns, 3, 20, last));
  assert_true(last[0] == 20 && last[1] == 2 && last[2] == 7);
  OK(celi_csv_row(&csv, (double[]){25, 9, 10}));
  celi_csv_close(&csv);
  expect_file("t.csv", "step,a,b\n10,1,\n20,2,7\n25,9,10\n");
}

static void incomplete_end_is_cut(void **state) {
  (void)state;
  CeliCsv csv;
  double last[3];
  write_text("t.csv", "step,a,b\n10,1,2\n20,2");
  OK(celi_csv_resume(&csv, &here, "t.csv", columns, 3, 1000, last));
  celi_csv_close(&csv);
  expect_file("t.csv", "step,a,b\n10,1,2\n");
  assert_true(last[0] == 10);
  write_text("t.csv", "step,a"); // killed while the header was written
  OK(celi_csv_resume(&csv, &here, "t.csv", columns, 3, 1000, last));
  celi_csv_close(&csv);
  expect_file("t.csv", "step,a,b\n");
  assert_true(isnan(last[0]));
}

static void missing_file_is_created(void **state) {
  (void)state;
  CeliCsv csv;
  double last[3];
  unlink("none.csv");
  OK(celi_csv_resume(&csv, &here, "none.csv", columns, 3, 5, last));
  celi_csv_close(&csv);
  expect_file("none.csv", "step,a,b\n");
}

static void other_contents_are_refused(void **state) {
  (void)state;
  CeliCsv csv;
  double last[3];
  write_text("t.csv", "step,x,b\n10,1,2\n");
  FAILS(celi_csv_resume(&csv, &here, "t.csv", columns, 3, 5, last), CEL_E_FORMAT, "columns");
  expect_file("t.csv", "step,x,b\n10,1,2\n");
  write_text("t.csv", "step,a,b\n1,1,1\n2,two,2\n");
  FAILS(celi_csv_resume(&csv, &here, "t.csv", columns, 3, 5, last), CEL_E_FORMAT, "line 3");
  write_text("t.csv", "step,a,b\n1,1,1,1\n");
  FAILS(celi_csv_resume(&csv, &here, "t.csv", columns, 3, 5, last), CEL_E_FORMAT, "line 2");
  write_text("victim", "victim");
  assert_int_equal(symlink("victim", "link.csv"), 0);
  FAILS(celi_csv_create(&csv, &here, "link.csv", columns, 3), CEL_E_IO,
        "./link.csv: this is a sym");
  FAILS(celi_csv_resume(&csv, &here, "link.csv", columns, 3, 5, last), CEL_E_IO, "symbolic link");
  expect_file("victim", "victim");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_come_back), cmocka_unit_test(later_rows_are_cut),
      cmocka_unit_test(incomplete_end_is_cut), cmocka_unit_test(missing_file_is_created),
      cmocka_unit_test(other_contents_are_refused)};
  return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
