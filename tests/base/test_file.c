/// Files are written completely or not at all, whatever goes wrong.
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

// Makes a folder for one test below the folder of the group.
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
  assert_fails(
      celi_file_read(path, 9999, &data, &size), CEL_E_FORMAT,
      "limit: the file is longer than 9.7 KiB, the limit; check that it is the right file");
  assert_fails(celi_file_read(in_folder(state, "none"), 10, &data, &size), CEL_E_IO,
               "none: cannot be opened: No such file or directory");
  assert_fails(celi_file_read(*state, 10, &data, &size), CEL_E_IO, "Is a directory");
  assert_fails(celi_file_read("/dev/zero", 100000, &data, &size), CEL_E_FORMAT,
               "/dev/zero: no end of data after 97.6 KiB, the limit for pipes and devices");
  assert_ok(celi_file_read("/proc/self/status", 100000, &data, &size)); // its reported size is 0
  assert_int_equal(strncmp(data, "Name:", 5), 0);
  free(data);
}

static void bad_paths_are_reported(void **state) {
  put_file(in_folder(state, "plain"), "x", 1);
  assert_fails(celi_file_write("", "x", 1), CEL_E_IO, "path is empty");
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

// Drops the rights of root, which can write everywhere.
static void unwritable_folders_are_reported(void **state) {
  const char *folder = new_folder(state, "closed");
  const char *path = in_folder(state, "closed/old");
  put_file(path, "old", 3);
  assert_int_equal(chmod(folder, 0555), 0);
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(3);
    CelStatus status = celi_file_write(path, "new", 3);
    bool named = strstr(cel_error(), "closed/old: cannot be written: Permission denied") != NULL;
    _exit(status == CEL_E_IO && named ? 0 : 1);
  }
  int result;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_int_equal(chmod(folder, 0777), 0);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
  check_content(path, "old");
  assert_int_equal(count_files(folder), 1);
}

static void full_disks_are_reported(void **state) {
  (void)state;
  assert_fails(celi_file_write("/dev/full", "x", 1), CEL_E_IO,
               "/dev/full: cannot be written: No space left on device");
  struct stat info;
  assert_int_equal(stat("/dev/full", &info), 0);
  assert_true(S_ISCHR(info.st_mode)); // it was not replaced by a file
  assert_ok(celi_file_write("/dev/null", "x", 1));
}

// A limit on the size of files stands in for a disk that becomes full during a write.
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
  celi_writer_abandon(&writer); // nothing to do
}

/// The name of the only temporary file in a folder, in static memory. Fails unless there is one.
static const char *find_temporary(const char *folder) {
  static char name[256];
  int n = 0;
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (!celi_temporary_is(entry->d_name)) continue;
    snprintf(name, sizeof name, "%s", entry->d_name);
    n++;
  }
  closedir(dir);
  assert_int_equal(n, 1);
  return name;
}

static void temporary_names_are_recognized(void **state) {
  (void)state;
  assert_true(celi_temporary_is("a.celsius-0123456789abcdef.tmp"));
  assert_true(celi_temporary_is("step-1.safetensors.celsius-00000000000000ff.tmp"));
  const char *const others[] = {"",
                                "a",
                                "a.tmp",
                                ".celsius-0123456789abcdef.tmp",
                                "a.celsius-0123456789abcdeF.tmp",
                                "a.celsius-0123456789abcde.tmp",
                                "a.celsius-0123456789abcdef.tmpx",
                                "a.celsius-0123456789abcdef.tmp.csv"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_false(celi_temporary_is(others[i]));
}

// Files of a killed writer are deleted. Files of a running writer and all other files stay.
static void leftovers_are_removed(void **state) {
  const char *path = in_folder(state, "leftover/a");
  const char *folder = new_folder(state, "leftover");
  put_file(in_folder(state, "leftover/b.celsius-0123456789abcdef.tmp"), "half", 4);
  put_file(in_folder(state, "leftover/a.tmp"), "mine", 4);
  CeliWriter writer;
  CeliFolder opened;
  assert_ok(celi_writer_open(&writer, path));
  assert_ok(celi_folder_open(&opened, folder));
  assert_int_equal(count_files(folder), 3);
  assert_ok(celi_folder_clean(&opened));
  assert_int_equal(count_files(folder), 2);
  (void)find_temporary(folder);
  assert_ok(celi_writer_put(&writer, "new", 3));
  assert_ok(celi_writer_close(&writer));
  check_content(path, "new");
  check_content(in_folder(state, "leftover/a.tmp"), "mine");
  celi_folder_close(&opened);
  celi_folder_close(&opened); // a second call does nothing
}

// A file that already has the name of the temporary file, of any kind, is never written to.
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
  put_file(in_folder(state, "others/b.tmp"), "", 0);
  assert_int_equal(chmod(in_folder(state, "others/b.tmp"), 0666), 0);
  assert_ok(celi_file_write(path, "x", 1));
  assert_ok(celi_file_write(in_folder(state, "others/b"), "y", 1));
  check_content(in_folder(state, "others/victim"), "victim");
  check_content(in_folder(state, "others/b.tmp"), "");
  check_content(path, "x");
}

static unsigned mode_of(const char *path) {
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  return info.st_mode & 07777;
}

// A private file stays private, also while its replacement is written.
static void permissions_are_kept(void **state) {
  const char *path = in_folder(state, "mode/a"), *folder = new_folder(state, "mode");
  static const mode_t modes[] = {0600, 0640, 0444, 0664, 0777};
  const mode_t mask = umask(022);
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    put_file(path, "old", 3);
    assert_int_equal(chmod(path, modes[i]), 0);
    CeliWriter writer;
    assert_ok(celi_writer_open(&writer, path));
    char temporary[512];
    snprintf(temporary, sizeof temporary, "%s/%s", folder, find_temporary(folder));
    assert_int_equal(mode_of(temporary), modes[i]);
    assert_ok(celi_writer_close(&writer));
    assert_int_equal(mode_of(path), modes[i]);
    unlink(path);
  }
  umask(077);
  assert_ok(celi_file_write(path, "new", 3));
  assert_int_equal(mode_of(path), 0600);
  umask(mask);
}

// Another user's file in a shared folder gives our new file no additional permissions.
static void permissions_of_others_are_not_copied(void **state) {
  if (geteuid() != 0) skip();
  const char *path = in_folder(state, "taken/a");
  new_folder(state, "taken");
  const mode_t mask = umask(022);
  put_file(path, "", 0);
  assert_int_equal(chmod(path, 0666), 0);
  assert_int_equal(chown(path, 65534, 65534), 0);
  assert_ok(celi_file_write(path, "new", 3));
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_uid, 0);
  assert_int_equal(info.st_mode & 0777, 0644);
  umask(mask);
}

// A link of our own is followed (links_stay_links). A link of another user is not.
static void links_of_others_are_refused(void **state) {
  if (geteuid() != 0) skip();
  const char *link = in_folder(state, "foreign/link"), *victim = in_folder(state, "foreign/victim");
  const char *folder = new_folder(state, "foreign");
  assert_int_equal(chmod(folder, 01777), 0);
  put_file(victim, "victim", 6);
  assert_int_equal(symlink("victim", link), 0);
  assert_int_equal(lchown(link, 65534, 65534), 0);
  assert_fails(celi_file_write(link, "x", 1), CEL_E_IO, "belongs to another user");
  check_content(victim, "victim");
  assert_int_equal(count_files(folder), 2);
}

// In an opened folder no link is followed, and only regular files are replaced.
static void folders_follow_no_links(void **state) {
  new_folder(state, "run");
  new_folder(state, "elsewhere");
  const char *victim = in_folder(state, "elsewhere/victim");
  put_file(victim, "victim", 6);
  assert_int_equal(symlink("../elsewhere/victim", in_folder(state, "run/file")), 0);
  assert_int_equal(symlink("../elsewhere", in_folder(state, "run/folder")), 0);
  assert_int_equal(symlink("run", in_folder(state, "name")), 0);
  assert_int_equal(mkfifo(in_folder(state, "run/pipe"), 0666), 0);
  CeliFolder run, sub;
  int fd = -1;
  assert_ok(celi_folder_open(&run, in_folder(state, "name"))); // the name that the user gave
  assert_fails(celi_file_write_in(&run, "file", "x", 1), CEL_E_IO, "name/file: this is a symbolic");
  assert_fails(celi_folder_open_file(&run, "file", O_RDWR | O_CREAT, &fd), CEL_E_IO, "symbolic");
  assert_fails(celi_folder_open_in(&sub, &run, "folder", true), CEL_E_IO, "symbolic");
  assert_fails(celi_file_write_in(&run, "pipe", "x", 1), CEL_E_IO, "not a regular file");
  assert_fails(celi_folder_open_file(&run, "pipe", O_RDWR, &fd), CEL_E_IO, "not a regular file");
  check_content(victim, "victim");
  assert_ok(celi_folder_open_in(&sub, &run, "new", true));
  assert_ok(celi_file_write_in(&sub, "a", "one", 3));
  check_content(in_folder(state, "run/new/a"), "one");
  assert_ok(celi_folder_remove(&sub, "a"));
  assert_ok(celi_folder_remove(&sub, "a"));
  // Writes go to the folder that was opened, even if its path now leads to another one.
  assert_int_equal(rename(in_folder(state, "run/new"), in_folder(state, "run/moved")), 0);
  assert_int_equal(symlink("../elsewhere", in_folder(state, "run/new")), 0);
  assert_ok(celi_file_write_in(&sub, "victim", "two", 3));
  check_content(in_folder(state, "run/moved/victim"), "two");
  check_content(victim, "victim");
  celi_folder_close(&sub);
  celi_folder_close(&run);
}

static void long_names_work(void **state) {
  char name[256], path[512];
  memset(name, 'n', 255);
  name[255] = 0;
  snprintf(path, sizeof path, "%s/%s", (char *)*state, name);
  assert_ok(celi_file_write(path, "x", 1));
  check_content(path, "x");
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

// Two threads write to one path. Readers find a complete file of one of them, never a mixture.
static void concurrent_writers_leave_complete_files(void **state) {
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
  assert_ok(celi_file_write(name, "x", 1)); // a name without a folder
  check_content(name, "x");
  unlink(name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_are_replaced_and_read),
      cmocka_unit_test(reading_has_a_limit),
      cmocka_unit_test(bad_paths_are_reported),
      cmocka_unit_test(unwritable_folders_are_reported),
      cmocka_unit_test(full_disks_are_reported),
      cmocka_unit_test(a_failed_write_leaves_the_old_file),
      cmocka_unit_test(abandoned_files_leave_the_old_one),
      cmocka_unit_test(temporary_names_are_recognized),
      cmocka_unit_test(leftovers_are_removed),
      cmocka_unit_test(permissions_are_kept),
      cmocka_unit_test(permissions_of_others_are_not_copied),
      cmocka_unit_test(links_of_others_are_refused),
      cmocka_unit_test(folders_follow_no_links),
      cmocka_unit_test(long_names_work),
      cmocka_unit_test(temporary_files_of_others_are_left_alone),
      cmocka_unit_test(links_stay_links),
      cmocka_unit_test(concurrent_writers_leave_complete_files),
      cmocka_unit_test(relative_names_and_the_root_work),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
