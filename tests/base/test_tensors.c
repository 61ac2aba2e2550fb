/// Named tensors: layout, refused declarations, memory limits, digests.
#include "base/base.h"
#include "base_test.h"
#include "celsius/tensors.h"
#include <sys/resource.h>
#include <sys/wait.h>

static CelTensors *new_tensors(void) {
  CelTensors *tensors = NULL;
  assert_ok(cel_tensors_create(&tensors));
  return tensors;
}

static void declare(CelTensors *tensors, const char *name, CelType type, CelRole role, void *place,
                    int64_t n) {
  assert_ok(cel_tensors_declare(tensors, name, type, role, place, 1, &n));
}

static void roles_are_contiguous_in_order(void **state) {
  (void)state;
  CelTensors *tensors = new_tensors();
  float *w, *b, *gw, *gb;
  uint8_t *pixels;
  double *scalar;
  int64_t shape[] = {3, 5};
  declare(tensors, "pixels", CEL_U8, CEL_REPLAY, &pixels, 1000);
  assert_ok(cel_tensors_declare(tensors, "w", CEL_F32, CEL_PARAM, &w, 2, shape));
  assert_ok(cel_tensors_declare(tensors, "w.grad", CEL_F32, CEL_GRAD, &gw, 2, shape));
  declare(tensors, "b", CEL_F32, CEL_PARAM, &b, 5);
  declare(tensors, "b.grad", CEL_F32, CEL_GRAD, &gb, 5);
  assert_ok(cel_tensors_declare(tensors, "alpha", CEL_F64, CEL_STATE, &scalar, 0, NULL));
  declare(tensors, "nothing", CEL_I64, CEL_STATE, NULL, 0);
  assert_int_equal(cel_tensors_count(tensors), 7);
  size_t bytes;
  assert_null(cel_tensors_region(tensors, CEL_PARAM, &bytes));
  assert_ok(cel_tensors_allocate(tensors));

  float *params = cel_tensors_region(tensors, CEL_PARAM, &bytes);
  assert_ptr_equal(params, w);
  assert_int_equal(bytes, 128); // 60 and 20 bytes, each rounded up to 64
  assert_ptr_equal(b, w + 16);
  float *grads = cel_tensors_region(tensors, CEL_GRAD, &bytes);
  assert_ptr_equal(grads, gw);
  assert_int_equal(bytes, 128);
  assert_int_equal(gb - gw, b - w); // gradients have the same layout
  assert_true(params < grads && (void *)grads < (void *)scalar && (void *)scalar < (void *)pixels);
  assert_int_equal((uintptr_t)pixels % 64, 0);
  assert_int_equal(cel_tensors_bytes(tensors), 128 + 128 + 64 + 1024);
  assert_null(cel_tensors_region(tensors, CEL_MODEL, &bytes));
  assert_int_equal(bytes, 0);
  for (size_t i = 0; i < cel_tensors_bytes(tensors); i++) assert_int_equal(((char *)w)[i], 0);

  const CelTensor *tensor = cel_tensors_find(tensors, "w");
  assert_ptr_equal(tensor, cel_tensors_at(tensors, 1));
  assert_ptr_equal(tensor->data, w);
  assert_int_equal(tensor->size, 15);
  assert_int_equal(tensor->ndim, 2);
  assert_int_equal(tensor->shape[1], 5);
  assert_int_equal(cel_tensors_find(tensors, "alpha")->size, 1);
  assert_non_null(cel_tensors_find(tensors, "nothing")->data);
  assert_null(cel_tensors_find(tensors, "v"));
  assert_null(cel_tensors_at(tensors, -1));
  assert_null(cel_tensors_at(tensors, 7));
  cel_tensors_destroy(tensors);
  cel_tensors_destroy(NULL);
}

static void bad_declarations_are_refused(void **state) {
  (void)state;
  CelTensors *tensors = new_tensors();
  int64_t shape[7] = {2, 2, 2, 2, 2, 2, 2}, minus = -1, huge[] = {1ll << 40, 1ll << 40};
  int64_t max = INT64_MAX, empty[] = {1ll << 40, 1ll << 40, 0};
  char name[CEL_NAME_MAX + 1];
  memset(name, 'n', sizeof name);
  name[CEL_NAME_MAX] = 0;
  declare(tensors, "a", CEL_F32, CEL_PARAM, NULL, 3);
#define REFUSED(name, type, role, ndim, shape, status, part)                                       \
  assert_fails(cel_tensors_declare(tensors, name, type, role, NULL, ndim, shape), status, part)
  REFUSED("a", CEL_F32, CEL_GRAD, 1, shape, CEL_E_NAME, "\"a\" is declared twice");
  REFUSED("", CEL_F32, CEL_PARAM, 1, shape, CEL_E_NAME, "name is empty");
  REFUSED(name, CEL_F32, CEL_PARAM, 1, shape, CEL_E_NAME, "longer than 95 bytes");
  REFUSED("a\nb", CEL_F32, CEL_PARAM, 1, shape, CEL_E_NAME, "files cannot hold");
  REFUSED("a\xff", CEL_F32, CEL_PARAM, 1, shape, CEL_E_NAME, "files cannot hold");
  REFUSED("__metadata__", CEL_F32, CEL_PARAM, 1, shape, CEL_E_NAME, "files cannot hold");
  REFUSED("b", (CelType)99, CEL_PARAM, 1, shape, CEL_E_TYPE, "type 99, which does not exist");
  REFUSED("b", CEL_F32, CEL_ROLES, 1, shape, CEL_E_ARGUMENT, "role 9, which does not exist");
  REFUSED("b", CEL_F32, CEL_PARAM, 7, shape, CEL_E_SHAPE, "7 dimensions; it must have 0 to 6");
  REFUSED("b", CEL_F32, CEL_PARAM, -1, shape, CEL_E_SHAPE, "-1 dimensions");
  REFUSED("b", CEL_F32, CEL_PARAM, 1, &minus, CEL_E_SHAPE, "\"b\": dimension 0 is negative");
  REFUSED("b", CEL_U8, CEL_PARAM, 2, huge, CEL_E_MEMORY, "overflows");
  REFUSED("b", CEL_F64, CEL_PARAM, 1, &max, CEL_E_MEMORY, "overflows");
  REFUSED("b", CEL_U8, CEL_PARAM, 1, &max, CEL_E_MEMORY, "overflows");
#undef REFUSED
  assert_ok(cel_tensors_declare(tensors, "b", CEL_F32, CEL_PARAM, NULL, 3, empty));
  assert_int_equal(cel_tensors_count(tensors), 2);
  assert_ok(cel_tensors_allocate(tensors));
  assert_fails(cel_tensors_allocate(tensors), CEL_E_STATE, "already allocated");
  assert_fails(cel_tensors_declare(tensors, "c", CEL_F32, CEL_PARAM, NULL, 1, shape), CEL_E_STATE,
               "after the allocation");
  cel_tensors_destroy(tensors);
}

static void an_empty_list_can_be_allocated(void **state) {
  (void)state;
  CelTensors *tensors = new_tensors();
  assert_ok(cel_tensors_allocate(tensors));
  assert_int_equal(cel_tensors_bytes(tensors), 0);
  cel_tensors_destroy(tensors);
}

static void more_than_the_available_memory_is_refused(void **state) {
  (void)state;
  CelTensors *tensors = new_tensors();
  void *place = NULL;
  declare(tensors, "small", CEL_F32, CEL_PARAM, &place, 10);
  declare(tensors, "replay.obs", CEL_F32, CEL_REPLAY, NULL, 1ll << 50);
  assert_fails(cel_tensors_allocate(tensors), CEL_E_MEMORY, "the tensors need 4.0 PiB");
  assert_non_null(strstr(cel_error(), "\"replay.obs\", needs 4.0 PiB"));
  assert_null(place);
  assert_int_equal(cel_tensors_bytes(tensors), 0);
  size_t bytes;
  assert_null(cel_tensors_region(tensors, CEL_PARAM, &bytes));
  cel_tensors_destroy(tensors);

  tensors = new_tensors(); // each size fits an int64, but the sum does not
  for (int i = 0; i < 3; i++) {
    char name[16];
    snprintf(name, sizeof name, "t%d", i);
    declare(tensors, name, CEL_U8, CEL_REPLAY, NULL, 1ll << 62);
  }
  assert_fails(cel_tensors_allocate(tensors), CEL_E_MEMORY, "overflow");
  cel_tensors_destroy(tensors);
}

static void available_memory_follows_the_limits(void **state) {
  (void)state;
  const char *limit = NULL;
  size_t available = celi_memory_available(&limit);
  assert_non_null(limit);
  assert_true(available > 1 << 20);
  if (sanitized()) {
    print_message("skipped: a sanitizer controls the address space\n");
    skip();
  }
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    struct rlimit space = {.rlim_cur = 200u << 20, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &space) != 0 || getrlimit(RLIMIT_AS, &space) != 0) _exit(2);
    if (space.rlim_cur != 200u << 20) _exit(77); // an emulator ignores the limit
    available = celi_memory_available(&limit);
    if (available >= 200u << 20 || strstr(limit, "ulimit -v") == NULL) _exit(3);
    CelTensors *tensors;
    int64_t n = 300 << 20;
    if (cel_tensors_create(&tensors) != CEL_OK ||
        cel_tensors_declare(tensors, "x", CEL_U8, CEL_REPLAY, NULL, 1, &n) != CEL_OK)
      _exit(4);
    if (cel_tensors_allocate(tensors) != CEL_E_MEMORY) _exit(5);
    cel_tensors_destroy(tensors);
    _exit(strstr(cel_error(), "ulimit -v") != NULL ? 0 : 6);
  }
  int result;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result));
  if (WEXITSTATUS(result) == 77) {
    print_message("skipped: the address space cannot be limited here\n");
    skip();
  }
  assert_int_equal(WEXITSTATUS(result), 0);
}

static void untouched_pages_cost_nothing(void **state) {
  (void)state;
  if (sanitized() || celi_memory_available(NULL) < (size_t)1 << 30) skip();
  struct rusage before, after;
  CelTensors *tensors = new_tensors();
  declare(tensors, "x", CEL_U8, CEL_REPLAY, NULL, 512 << 20);
  getrusage(RUSAGE_SELF, &before);
  assert_ok(cel_tensors_allocate(tensors));
  getrusage(RUSAGE_SELF, &after);
  assert_true(after.ru_maxrss - before.ru_maxrss < 4096); // KiB
  cel_tensors_destroy(tensors);
}

static void digests_detect_differences(void **state) {
  (void)state;
  uint64_t first[2], second[2];
  CelTensors *tensors[2];
  float *w[2];
  uint8_t *scratch[2];
  for (int i = 0; i < 2; i++) {
    tensors[i] = new_tensors();
    declare(tensors[i], "scratch", CEL_U8, CEL_SCRATCH, &scratch[i], 7);
    declare(tensors[i], "w", CEL_F32, CEL_PARAM, &w[i], 7);
    assert_ok(cel_tensors_allocate(tensors[i]));
    w[i][6] = 2;
  }
  cel_tensors_digest(tensors[0], CEL_ROLES_RESUME, first);
  scratch[1][0] = 1; // its role is not hashed
  cel_tensors_digest(tensors[1], CEL_ROLES_RESUME, second);
  assert_memory_equal(first, second, sizeof first);
  cel_tensors_digest(tensors[1], CEL_ROLES_RESUME | 1u << CEL_SCRATCH, second);
  assert_memory_not_equal(first, second, sizeof first);
  w[1][6] = 2.0000002f;
  cel_tensors_digest(tensors[1], CEL_ROLES_RESUME, second);
  assert_memory_not_equal(first, second, sizeof first);
  for (int i = 0; i < 2; i++) cel_tensors_destroy(tensors[i]);

  // The same bytes under another name or with another shape.
  const char *const names[] = {"a", "b", "a"};
  int64_t shapes[3][2] = {{2, 3}, {2, 3}, {3, 2}};
  uint64_t digests[3][2];
  for (int i = 0; i < 3; i++) {
    CelTensors *one = new_tensors();
    assert_ok(cel_tensors_declare(one, names[i], CEL_F32, CEL_PARAM, NULL, 2, shapes[i]));
    assert_ok(cel_tensors_allocate(one));
    cel_tensors_digest(one, CEL_ROLES_MODEL, digests[i]);
    cel_tensors_destroy(one);
  }
  assert_memory_not_equal(digests[0], digests[1], sizeof digests[0]);
  assert_memory_not_equal(digests[0], digests[2], sizeof digests[0]);
}

static void sizes_do_not_overflow(void **state) {
  (void)state;
  size_t out = 77;
  assert_false(celi_size_mul(SIZE_MAX / 2, 3, &out));
  assert_false(celi_size_add(SIZE_MAX, 1, &out));
  assert_false(celi_size_round(SIZE_MAX - 3, 64, &out));
  assert_int_equal(out, 77);
  assert_true(celi_size_round(65, 64, &out));
  assert_int_equal(out, 128);
  assert_true(celi_size_round(64, 64, &out));
  assert_int_equal(out, 64);
  int *block = NULL;
  assert_fails(celi_alloc(&block, SIZE_MAX / 2, 4, "a table"), CEL_E_MEMORY, "a table: ");
  assert_fails(celi_alloc(&block, 1, SIZE_MAX / 2 + 1, "a table"), CEL_E_MEMORY, "a table: ");
  assert_null(block);
  assert_ok(celi_alloc(&block, 0, 4, "nothing"));
  assert_ok(celi_resize(&block, 100, sizeof *block, "more"));
  block[99] = 1;
  int *old = block;
  assert_fails(celi_resize(&block, SIZE_MAX, 4, "too much"), CEL_E_MEMORY, "too much");
  assert_ptr_equal(block, old);
  assert_int_equal(block[99], 1);
  free(block);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(roles_are_contiguous_in_order),
      cmocka_unit_test(bad_declarations_are_refused),
      cmocka_unit_test(an_empty_list_can_be_allocated),
      cmocka_unit_test(more_than_the_available_memory_is_refused),
      cmocka_unit_test(available_memory_follows_the_limits),
      cmocka_unit_test(untouched_pages_cost_nothing),
      cmocka_unit_test(digests_detect_differences),
      cmocka_unit_test(sizes_do_not_overflow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
