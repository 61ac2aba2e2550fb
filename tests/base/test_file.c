/// Files: whole or not at all, whatever goes wrong on the way.
#include "base/base.h"
#include "base_test.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void check_content(const char *path, const char *text) {
  size_t size;
  char *bytes = get_file(path, &size);
  assert_int_equal(size, strlen(text));
  assert_string_equal(bytes, text);
  free(bytes);
}

static int count_files(const char *folder) {
  int n = 0;
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) n += entry->d_name[0] != '.';
  closedir(dir);
  return n;
}

// A folder of the test's own below the group's.
static const char *new_folder(void **state, const char *name) {
  const char *path = in_folder(state, name);
  assert_int_equal(mkdir(path, 0777), 0);
  return path;
}

static void files_are_replaced_and_read(void **state) {
  const char *folder = new_folder(state, "replace"), *path = in_folder(state, "replace/a");
  assert_ok(celi_file_write(path, "first", 5));
  check_content(path, "first");
  assert_ok(celi_file_write(path, "second!", 7));
  check_content(path, "second!");
  assert_ok(celi_file_write(path, NULL, 0));
  check_content(path, "");
  assert_int_equal(count_files(folder), 1);
  struct stat info;
  mode_t mask = umask(0);
  umask(mask);
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0666 & ~mask);
  char *data;
  size_t size;
  assert_ok(celi_file_write(path, "a\0b", 3));
  assert_ok(celi_file_read(path, 3, &data, &size));
  assert_int_equal(size, 3);
  assert_memory_equal(data, "a\0b", 4);
  free(data);
}

static void reading_has_a_limit(void **state) {
  const char *path = in_folder(state, "limit");
  char bytes[10000], *data;
  size_t size;
  memset(bytes, 'x', sizeof bytes);
  put_file(path, bytes, sizeof bytes);
  assert_ok(celi_file_read(path, 10000, &data, &size));
  assert_int_equal(size, 10000);
  free(data);
  assert_fails(celi_file_read(path, 9999, &data, &size), CEL_E_FORMAT,
               "longer than the 9999 bytes");
  assert_fails(celi_file_read(in_folder(state, "none"), 10, &data, &size), CEL_E_IO,
               "none: cannot be opened: No such file or directory");
  assert_fails(celi_file_read(*state, 10, &data, &size), CEL_E_IO, "Is a directory");
  assert_fails(celi_file_read("/dev/zero", 100000, &data, &size), CEL_E_FORMAT, "longer than");
  assert_ok(celi_file_read("/proc/self/status", 100000, &data, &size)); // a file that says 0 bytes
  assert_int_equal(strncmp(data, "Name:", 5), 0);
  free(data);
}

static void bad_places_are_told(void **state) {
  put_file(in_folder(state, "plain"), "x", 1);
  assert_fails(celi_file_write("", "x", 1), CEL_E_IO, "empty path");
  assert_fails(celi_file_write(in_folder(state, "no/such/folder"), "x", 1), CEL_E_IO,
               "no/such/folder: cannot be written: No such file or directory");
  assert_fails(celi_file_write(in_folder(state, "plain/file"), "x", 1), CEL_E_IO,
               "Not a directory");
  assert_fails(celi_file_write(*state, "x", 1), CEL_E_IO, "Is a directory");
  char name[400];
  memset(name, 'n', sizeof name);
  name[399] = 0;
  assert_fails(celi_file_write(name, "x", 1), CEL_E_IO, "File name too long");
}

// As a user without rights: root may write everywhere.
static void unwritable_folders_are_told(void **state) {
  const char *folder = new_folder(state, "closed");
  const char *path = in_folder(state, "closed/old");
  put_file(path, "old", 3);
  assert_int_equal(chmod(folder, 0555), 0);
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(3);
    CelStatus status = celi_file_write(path, "new", 3);
    bool told = strstr(cel_error(), "closed/old: cannot be written: Permission denied") != NULL;
    _exit(status == CEL_E_IO && told ? 0 : 1);
  }
  int result;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_int_equal(chmod(folder, 0777), 0);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
  check_content(path, "old");
  assert_int_equal(count_files(folder), 1);
}

static void full_disks_are_told(void **state) {
  (void)state;
  assert_fails(celi_file_write("/dev/full", "x", 1), CEL_E_IO,
               "/dev/full: cannot be written: No space left on device");
  struct stat info;
  assert_int_equal(stat("/dev/full", &info), 0);
  assert_true(S_ISCHR(info.st_mode)); // not replaced by a file
  assert_ok(celi_file_write("/dev/null", "x", 1));
}

// A limit on the size of files stands for a disk that gets full in the middle of a file.
static void a_failed_write_leaves_the_old_file(void **state) {
  const char *folder = new_folder(state, "full"), *path = in_folder(state, "full/a");
  char *large = calloc(1, 200000);
  assert_non_null(large);
  put_file(path, "old", 3);
  struct rlimit old, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = old;
  small.rlim_cur = 100000;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  CelStatus status = celi_file_write(path, large, 200000);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, handler);
  free(large);
  assert_fails(status, CEL_E_IO, "full/a: cannot be written: File too large");
  check_content(path, "old");
  assert_int_equal(count_files(folder), 1);
}

static void abandoned_files_leave_the_old_one(void **state) {
  const char *folder = new_folder(state, "abandon"), *path = in_folder(state, "abandon/a");
  put_file(path, "old", 3);
  CeliWriter writer;
  assert_ok(celi_writer_open(&writer, path));
  assert_ok(celi_writer_put(&writer, "new", 3));
  check_content(path, "old");
  assert_int_equal(count_files(folder), 2);
  celi_writer_abandon(&writer);
  check_content(path, "old");
  assert_int_equal(count_files(folder), 1);
  celi_writer_abandon(&writer); // nothing left to do
}

static void leftovers_are_taken_over(void **state) {
  const char *folder = new_folder(state, "leftover"), *path = in_folder(state, "leftover/a");
  put_file(in_folder(state, "leftover/a.tmp"), "half of a file that is longer", 29);
  assert_ok(celi_file_write(path, "new", 3));
  check_content(path, "new");
  assert_int_equal(count_files(folder), 1);
}

// A temporary file that is being written belongs to its writer, and so does a link.
static void temporary_files_of_others_are_left_alone(void **state) {
  const char *folder = new_folder(state, "others"), *path = in_folder(state, "others/a");
  CeliWriter first, second;
  assert_ok(celi_writer_open(&first, path));
  assert_ok(celi_writer_put(&first, "first", 5));
  assert_ok(celi_writer_open(&second, path));
  assert_ok(celi_writer_put(&second, "second", 6));
  assert_int_equal(count_files(folder), 2);
  assert_ok(celi_writer_close(&first));
  check_content(path, "first");
  assert_ok(celi_writer_close(&second));
  check_content(path, "second");
  assert_int_equal(count_files(folder), 1);
  put_file(in_folder(state, "others/victim"), "victim", 6);
  assert_int_equal(symlink("victim", in_folder(state, "others/a.tmp")), 0);
  assert_fails(celi_file_write(path, "x", 1), CEL_E_IO, "Too many levels of symbolic links");
  check_content(in_folder(state, "others/victim"), "victim");
  check_content(path, "second");
}

static void links_stay_links(void **state) {
  new_folder(state, "link");
  const char *path = in_folder(state, "link/target"), *link = in_folder(state, "link/link");
  put_file(path, "old", 3);
  assert_int_equal(symlink("target", link), 0);
  assert_ok(celi_file_write(link, "new", 3));
  struct stat info;
  assert_int_equal(lstat(link, &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  check_content(path, "new");
}

enum { LENGTH = 50000, ROUNDS = 60 };

typedef struct Writers {
  const char *path;
  char letter;
  bool failed;
} Writers;

static void *write_often(void *arg) {
  Writers *writer = arg;
  char bytes[LENGTH];
  memset(bytes, writer->letter, sizeof bytes);
  for (int i = 0; i < ROUNDS; i++)
    if (celi_file_write(writer->path, bytes, sizeof bytes) != CEL_OK) writer->failed = true;
  return NULL;
}

// Readers of a path that two threads write to find one of the files, never a mixture or a part.
static void concurrent_writers_leave_whole_files(void **state) {
  const char *folder = new_folder(state, "two");
  char path[256];
  snprintf(path, sizeof path, "%s/a", folder);
  pthread_t threads[2];
  Writers writers[2] = {{path, 'a', false}, {path, 'b', false}};
  put_file(path, "", 0);
  assert_ok(celi_file_write(path, "start", 5));
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, write_often, &writers[i]), 0);
  int whole = 0, part = 0;
  for (int i = 0; i < 200; i++) {
    char *data;
    size_t size;
    assert_ok(celi_file_read(path, LENGTH, &data, &size));
    bool same = true;
    for (size_t k = 1; k < size; k++) same = same && data[k] == data[0];
    whole += (size == LENGTH && same) || strcmp(data, "start") == 0;
    part += !((size == LENGTH && same) || strcmp(data, "start") == 0);
    free(data);
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  assert_int_equal(part, 0);
  assert_int_equal(whole, 200);
  assert_false(writers[0].failed || writers[1].failed);
  assert_int_equal(count_files(folder), 1);
}

static void relative_names_and_the_root_work(void **state) {
  (void)state;
  char name[] = "base-file-XXXXXX";
  int fd = mkstemp(name);
  assert_true(fd >= 0);
  close(fd);
  assert_ok(celi_file_write(name, "x", 1)); // no folder in its name
  check_content(name, "x");
  unlink(name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_are_replaced_and_read),
      cmocka_unit_test(reading_has_a_limit),
      cmocka_unit_test(bad_places_are_told),
      cmocka_unit_test(unwritable_folders_are_told),
      cmocka_unit_test(full_disks_are_told),
      cmocka_unit_test(a_failed_write_leaves_the_old_file),
      cmocka_unit_test(abandoned_files_leave_the_old_one),
      cmocka_unit_test(leftovers_are_taken_over),
      cmocka_unit_test(temporary_files_of_others_are_left_alone),
      cmocka_unit_test(links_stay_links),
      cmocka_unit_test(concurrent_writers_leave_whole_files),
      cmocka_unit_test(relative_names_and_the_root_work),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
