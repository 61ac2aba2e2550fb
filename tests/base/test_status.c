/// Statuses and messages: names, formatting, threads, the assertion hook.
#include "base/base.h"
#include "base_test.h"
#include <pthread.h>
#include <sys/wait.h>

static void names_are_stable(void **state) {
  (void)state;
  assert_string_equal(cel_status_name(CEL_OK), "CEL_OK");
  assert_string_equal(cel_status_name(CEL_E_ARGUMENT), "CEL_E_ARGUMENT");
  assert_string_equal(cel_status_name(CEL_E_INTERRUPTED), "CEL_E_INTERRUPTED");
  assert_string_equal(cel_status_name((CelStatus)99), "CEL_E_UNKNOWN");
  assert_int_equal(CEL_E_ARGUMENT, 2);
  assert_int_equal(CEL_E_INTERRUPTED, 15);
  for (int s = 2; s <= 15; s++)
    assert_int_equal(strncmp(cel_status_name((CelStatus)s), "CEL_E_", 6), 0);
}

static void contexts_are_prepended(void **state) {
  (void)state;
  assert_int_equal(cel_fail(CEL_E_RANGE, "x is %d", 3), CEL_E_RANGE);
  assert_string_equal(cel_error(), "x is 3");
  assert_int_equal(cel_fail_in(CEL_E_RANGE, "line %d: ", 7), CEL_E_RANGE);
  assert_string_equal(cel_error(), "line 7: x is 3");
  assert_int_equal(cel_fail_in(CEL_OK, "not added: "), CEL_OK);
  assert_string_equal(cel_error(), "line 7: x is 3");
  assert_int_equal(cel_fail(CEL_E_IO, "again: %s", cel_error()),
                   CEL_E_IO); // the old message is an argument
  assert_string_equal(cel_error(), "again: line 7: x is 3");
}

static void long_messages_are_cut_between_characters(void **state) {
  (void)state;
  char text[3001];
  for (int shift = 0; shift < 3; shift++) {
    memset(text, 'a', sizeof text);
    for (size_t i = (size_t)shift; i + 3 < sizeof text; i += 3) memcpy(text + i, "\u20ac", 3);
    text[3000] = 0;
    assert_int_equal(cel_fail(CEL_E_NAME, "%s", text), CEL_E_NAME);
    size_t n = strlen(cel_error());
    assert_in_range(n, 1018, 1023);
    assert_string_equal(cel_error() + n - 3, "...");
    assert_true(celi_utf8_valid(cel_error(), n));
  }
}

static void control_characters_become_question_marks(void **state) {
  (void)state;
  cel_fail(CEL_E_NAME, "a\x1b[31m\x7f\tb\nc\xc2\x9b"
                       "d\xc3\xa9");
  assert_string_equal(cel_error(), "a?[31m??b\nc??d\xc3\xa9");
}

typedef struct Worker {
  pthread_barrier_t *barrier;
  int number;
  bool right, empty;
} Worker;

// Fails, waits until the other thread has failed too, and must still find its own message.
static void *fail_and_look(void *arg) {
  Worker *worker = arg;
  char expected[64];
  worker->empty = cel_error()[0] == 0;
  snprintf(expected, sizeof expected, "thread: fault of thread %d", worker->number);
  worker->right = true;
  for (int i = 0; i < 100; i++) {
    CelStatus status = cel_fail(CEL_E_ENV, "fault of thread %d", worker->number);
    cel_fail_in(status, "thread: ");
    pthread_barrier_wait(worker->barrier);
    worker->right = worker->right && strcmp(cel_error(), expected) == 0;
    pthread_barrier_wait(worker->barrier);
  }
  return NULL;
}

static void threads_have_messages_of_their_own(void **state) {
  (void)state;
  pthread_barrier_t barrier;
  pthread_t threads[2];
  Worker workers[2] = {{&barrier, 1, false, false}, {&barrier, 2, false, false}};
  cel_fail(CEL_E_IO, "of the first thread");
  pthread_barrier_init(&barrier, NULL, 2);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, fail_and_look, &workers[i]), 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&barrier);
  for (int i = 0; i < 2; i++) {
    assert_true(workers[i].right);
    assert_true(workers[i].empty);
  }
  assert_string_equal(cel_error(), "of the first thread");
}

static void exit_42(const char *file, int line, const char *expression) {
  bool named =
      strstr(file, "test_status.c") != NULL && line > 0 && strcmp(expression, "1 > 2") == 0;
  _exit(named ? 42 : 43);
}

static int wait_for(pid_t child) {
  int result = 0;
  assert_int_equal(waitpid(child, &result, 0), child);
  return result;
}

static void assertions_call_the_hook_or_abort(void **state) {
  (void)state;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    cel_set_assert_hook(exit_42);
    CEL_ASSERT(1 > 2);
    _exit(0);
  }
  int result = wait_for(child);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 42);
  child = fork();
  if (child == 0) {
    CEL_ASSERT(1 < 2);
    signal(SIGABRT, SIG_DFL);
    CEL_ASSERT(2 < 1);
    _exit(0);
  }
  result = wait_for(child);
  assert_true(WIFSIGNALED(result));
  assert_int_equal(WTERMSIG(result), SIGABRT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_are_stable),
      cmocka_unit_test(contexts_are_prepended),
      cmocka_unit_test(long_messages_are_cut_between_characters),
      cmocka_unit_test(control_characters_become_question_marks),
      cmocka_unit_test(threads_have_messages_of_their_own),
      cmocka_unit_test(assertions_call_the_hook_or_abort),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
