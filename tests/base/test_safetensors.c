/// Safetensors files: writing and reading, also with Python; damaged and malicious files.
#include "base/base.h"
#include "base_test.h"
#include "celsius/safetensors.h"
#include <math.h>

// ---- a small agent

typedef struct Agent {
  CelTensors *tensors;
  float *weight, *bias, *grad;
  uint64_t *count;
  double *x;
  uint8_t *pixels;
} Agent;

static Agent new_agent(void) {
  Agent agent = {0};
  int64_t two_three[] = {2, 3}, three = 3, none[] = {0, 2};
  CelTensors *t;
  assert_ok(cel_tensors_create(&agent.tensors));
  t = agent.tensors;
  assert_ok(cel_tensors_declare(t, "pixels", CEL_U8, CEL_STATE, &agent.pixels, 1, &three));
  assert_ok(cel_tensors_declare(t, "a.weight", CEL_F32, CEL_PARAM, &agent.weight, 2, two_three));
  assert_ok(cel_tensors_declare(t, "a.bias", CEL_F32, CEL_PARAM, &agent.bias, 1, &three));
  assert_ok(cel_tensors_declare(t, "a.grad", CEL_F32, CEL_GRAD, &agent.grad, 2, two_three));
  assert_ok(cel_tensors_declare(t, "none", CEL_I32, CEL_STATE, NULL, 2, none));
  assert_ok(cel_tensors_declare(t, "count", CEL_U64, CEL_STATE, &agent.count, 0, NULL));
  assert_ok(cel_tensors_declare(t, "x", CEL_F64, CEL_MODEL, &agent.x, 1, &three));
  assert_ok(cel_tensors_allocate(t));
  return agent;
}

static Agent filled_agent(void) {
  Agent agent = new_agent();
  for (int i = 0; i < 6; i++) agent.weight[i] = (float)i / 8;
  agent.bias[0] = INFINITY, agent.bias[1] = -0.0f, agent.bias[2] = NAN;
  *agent.count = UINT64_MAX;
  agent.x[0] = 0.1, agent.x[1] = 5e-324, agent.x[2] = -1.5;
  agent.pixels[0] = 1, agent.pixels[1] = 2, agent.pixels[2] = 255;
  return agent;
}

static const CelMeta meta[] = {{"algo", "sac"}, {"note", "a \"b\" \\ c\nd\t\xc3\xa9"}};

static void write_agent(const char *path) {
  Agent agent = filled_agent();
  assert_ok(cel_safetensors_write(path, agent.tensors, CEL_ROLES_RESUME, meta, 2));
  cel_tensors_destroy(agent.tensors);
}

static CelSafetensors *open_file(const char *path) {
  CelSafetensors *file = NULL;
  assert_ok(cel_safetensors_open(path, &file));
  return file;
}

static void files_read_back(void **state) {
  const char *path = in_folder(state, "agent");
  write_agent(path);
  CelSafetensors *file = open_file(path);
  assert_int_equal(cel_safetensors_count(file), 6);
  // By falling alignment, then in order of declaration.
  const char *const order[] = {"count", "x", "a.weight", "a.bias", "none", "pixels"};
  for (int i = 0; i < 6; i++) assert_string_equal(cel_safetensors_at(file, i)->name, order[i]);
  assert_null(cel_safetensors_at(file, 6));
  assert_null(cel_safetensors_at(file, -1));
  assert_null(cel_safetensors_find(file, "a.grad"));
  assert_int_equal((uintptr_t)cel_safetensors_at(file, 0)->data % 64, 0);
  const CelTensor *weight = cel_safetensors_find(file, "a.weight");
  assert_int_equal(weight->ndim, 2);
  assert_int_equal(weight->shape[0], 2);
  assert_true(((const float *)weight->data)[5] == 0.625f);
  assert_string_equal(cel_safetensors_meta(file, "algo"), "sac");
  assert_string_equal(cel_safetensors_meta(file, "note"), meta[1].value);
  assert_null(cel_safetensors_meta(file, "nothing"));
  assert_string_equal(cel_safetensors_meta_at(file, 2).key, "algo");
  assert_null(cel_safetensors_meta_at(file, 4).key);

  Agent want = filled_agent(), agent = new_agent();
  agent.grad[3] = 7;
  assert_ok(cel_safetensors_load(file, agent.tensors, CEL_ROLES_RESUME));
  uint64_t a[2], b[2];
  cel_tensors_digest(want.tensors, CEL_ROLES_RESUME, a);
  cel_tensors_digest(agent.tensors, CEL_ROLES_RESUME, b);
  assert_memory_equal(a, b, sizeof a);
  assert_true(agent.grad[3] == 7);
  cel_safetensors_close(file);
  cel_safetensors_close(NULL);
  cel_tensors_destroy(want.tensors);
  cel_tensors_destroy(agent.tensors);
}

static void same_tensors_make_same_bytes(void **state) {
  const char *first = in_folder(state, "first"), *second = in_folder(state, "second");
  size_t n, m;
  write_agent(first);
  write_agent(second);
  char *a = get_file(first, &n), *b = get_file(second, &m);
  assert_int_equal(n, m);
  assert_memory_equal(a, b, n);
  free(a);
  free(b);
}

// XXH3-128 of no bytes and of "abc", as printed by xxHash's own xxhsum -H2.
static void digests_are_of_the_data(void **state) {
  const char *path = in_folder(state, "digest");
  assert_ok(cel_safetensors_write_list(path, NULL, 0, NULL, 0));
  CelSafetensors *file = open_file(path);
  assert_int_equal(cel_safetensors_count(file), 0);
  assert_string_equal(cel_safetensors_meta(file, "digest"), "99aa06d3014798d86001c324468d497f");
  cel_safetensors_close(file);
  char text[] = "abc";
  CelTensor tensor = {
      .name = "t", .type = CEL_U8, .ndim = 1, .shape = {3}, .size = 3, .data = text};
  assert_ok(cel_safetensors_write_list(path, &tensor, 1, NULL, 0));
  file = open_file(path);
  assert_string_equal(cel_safetensors_meta(file, "digest"), "06b05ab6733a618578af5f94892f3950");
  cel_safetensors_close(file);
}

static void python_reads_our_files(void **state) {
  const char *path = in_folder(state, "python");
  write_agent(path);
  run_python("safetensors, numpy", "check_safetensors.py", path);
}

static void we_read_pythons_files(void **state) {
  (void)state;
  CelSafetensors *file = open_file(CELSIUS_TEST_DIR "/golden/foreign.safetensors");
  assert_int_equal(cel_safetensors_count(file), 10);
  const CelTensor *t = cel_safetensors_find(file, "f32");
  assert_int_equal(t->type, CEL_F32);
  assert_int_equal(t->shape[1], 3);
  for (int i = 0; i < 6; i++) assert_true(((float *)t->data)[i] == (float)i / 4 - 0.5f);
  const double *f64 = cel_safetensors_find(file, "f64")->data;
  assert_true(f64[0] == 0.1 && f64[1] == 0 && signbit(f64[1]) && isinf(f64[2]) && isnan(f64[3]) &&
              f64[4] == 5e-324);
  const int32_t *i32 = cel_safetensors_find(file, "i32")->data;
  assert_true(i32[0] == INT32_MIN && i32[1] == INT32_MAX);
  const int64_t *i64 = cel_safetensors_find(file, "i64")->data;
  assert_true(i64[0] == INT64_MIN && i64[1] == INT64_MAX);
  assert_int_equal(((uint8_t *)cel_safetensors_find(file, "u8")->data)[4], 4);
  assert_true(*(uint32_t *)cel_safetensors_find(file, "u32")->data == UINT32_MAX);
  assert_true(*(uint64_t *)cel_safetensors_find(file, "u64")->data == UINT64_MAX);
  t = cel_safetensors_find(file, "scalar");
  assert_true(t->ndim == 0 && t->size == 1 && *(double *)t->data == 2.5);
  t = cel_safetensors_find(file, "empty");
  assert_true(t->ndim == 2 && t->size == 0 && t->shape[1] == 4);
  assert_non_null(cel_safetensors_find(file, "gr\xc3\xb6\xc3\x9f"
                                             "e"));
  assert_string_equal(cel_safetensors_meta(file, "quote"), "a \"b\" \\ c");
  assert_string_equal(cel_safetensors_meta(file, "line"), "a\nb\tc");
  assert_string_equal(cel_safetensors_meta(file, "unicode"),
                      "\xcf\x80 \xe2\x89\x88 3.14159 \xf0\x9f\x98\x80");
  assert_null(cel_safetensors_meta(file, "digest"));
  cel_safetensors_close(file);
}

// ---- damaged files

static void files_cut_anywhere_are_refused(void **state) {
  const char *path = in_folder(state, "whole"), *cut = in_folder(state, "cut");
  size_t size;
  write_agent(path);
  char *bytes = get_file(path, &size);
  for (size_t n = 0; n < size; n++) {
    CelSafetensors *file = NULL;
    assert_fails(cel_safetensors_open_bytes("cut", bytes, n, &file), CEL_E_CORRUPT,
                 "cut: the file is truncated");
    assert_null(file);
  }
  bytes[size] = 0; // one byte too many
  CelSafetensors *file = NULL;
  assert_fails(cel_safetensors_open_bytes("long", bytes, size + 1, &file), CEL_E_CORRUPT,
               "bytes of data, but it has");
  for (size_t n = 0; n < 3; n++) { // also from a file
    put_file(cut, bytes, n * (size - 1) / 2);
    assert_status(cel_safetensors_open(cut, &file), CEL_E_CORRUPT);
  }
  free(bytes);
}

// Flips every bit of the file. A damaged header may be reported as a wrong format instead.
static void flipped_bits_are_noticed(void **state) {
  const char *path = in_folder(state, "flip");
  size_t size;
  uint64_t header;
  write_agent(path);
  char *bytes = get_file(path, &size);
  memcpy(&header, bytes, sizeof header);
  int unnoticed = 0;
  for (size_t i = 0; i < size * 8; i++) {
    CelSafetensors *file = NULL;
    bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
    CelStatus status = cel_safetensors_open_bytes("flip", bytes, size, &file);
    bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
    if (i / 8 >= 8 + header) assert_int_equal(status, CEL_E_CORRUPT);
    if (status == CEL_OK) unnoticed++;
    if (status != CEL_OK) assert_true(status == CEL_E_CORRUPT || status == CEL_E_FORMAT);
    cel_safetensors_close(file);
  }
  // The digest does not protect its own name in the header. In these 13 letters a flipped bit makes
  // another name, or an invalid one, which is detected.
  assert_in_range(unnoticed, 1, 13 * 8);
  free(bytes);
}

// ---- malicious files

typedef struct Hostile {
  const char *header;
  size_t data; // bytes of data after the header
  CelStatus status;
  const char *part;
} Hostile;

static CelStatus open_made(const char *header, size_t n, size_t data, CelSafetensors **file) {
  static unsigned char bytes[1 << 20];
  uint64_t length = n;
  assert_true(8 + n + data <= sizeof bytes);
  memset(bytes, 0, sizeof bytes);
  memcpy(bytes, &length, 8);
  memcpy(bytes + 8, header, n);
  return cel_safetensors_open_bytes("made", bytes, 8 + n + data, file);
}

#define T(name, type, shape, offsets)                                                              \
  "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void hostile_headers_are_refused(void **state) {
  (void)state;
  const Hostile list[] = {
      {"", 0, CEL_E_FORMAT, "expected '{'"},
      {"x", 0, CEL_E_FORMAT, "expected '{'"},
      {" {}", 0, CEL_E_FORMAT, "expected '{'"},
      {"\xef\xbb\xbf{}", 0, CEL_E_FORMAT, "expected '{'"},
      {"[]", 0, CEL_E_FORMAT, "expected '{'"},
      {"{", 0, CEL_E_FORMAT, "header byte 1"},
      {"{}x", 0, CEL_E_FORMAT, "data after the end of the header"},
      {"{}", 4, CEL_E_CORRUPT, "0 bytes of data, but it has 4"},
      {"{\"a\":1}", 0, CEL_E_FORMAT, "expected '{'"},
      {"{\"a\":{}}", 0, CEL_E_FORMAT, "\"a\" must have dtype, shape and data_offsets"},
      {"{,}", 0, CEL_E_FORMAT, "expected '\"'"},
      {"{\"a\"}", 0, CEL_E_FORMAT, "expected ':'"},
      {"{" T("a", "F32", "[1]", "[0,4]") ",}", 4, CEL_E_FORMAT, "expected '\"'"},
      {"{" T("a", "F32", "[1]", "[0,4]") " \"b\"", 4, CEL_E_FORMAT, "expected '}'"},
      {"{" T("a", "F32", "[1,]", "[0,4]") "}", 4, CEL_E_FORMAT, "whole number"},
      {"{" T("a", "F32", "1", "[0,4]") "}", 4, CEL_E_FORMAT, "expected '['"},
      {"{" T("a", "F32", "[[1]]", "[0,4]") "}", 4, CEL_E_FORMAT, "whole number"},
      {"{" T("a", "F32", "[-1]", "[0,4]") "}", 4, CEL_E_FORMAT, "whole number"},
      {"{" T("a", "F32", "[1.0]", "[0,4]") "}", 4, CEL_E_FORMAT, "expected ']'"},
      {"{" T("a", "F32", "[1e0]", "[0,4]") "}", 4, CEL_E_FORMAT, "expected ']'"},
      {"{" T("a", "F32", "[01]", "[0,4]") "}", 4, CEL_E_FORMAT, "leading zero"},
      {"{" T("a", "F32", "[null]", "[0,4]") "}", 4, CEL_E_FORMAT, "whole number"},
      {"{" T("a", "F32", "[18446744073709551617]", "[0,4]") "}", 4, CEL_E_FORMAT, "too large"},
      {"{" T("a", "F32", "[9223372036854775808]", "[0,4]") "}", 4, CEL_E_FORMAT, "too large"},
      {"{" T("a", "F32", "[4294967296,4294967296]", "[0,4]") "}", 4, CEL_E_FORMAT, "overflows"},
      {"{" T("a", "F64", "[2305843009213693952]", "[0,0]") "}", 0, CEL_E_FORMAT, "overflows"},
      {"{" T("a", "F32", "[1]", "[0,8]") "}", 8, CEL_E_FORMAT, "its shape needs 4 bytes"},
      {"{" T("a", "F32", "[1]", "[4,0]") "}", 8, CEL_E_FORMAT, "offsets are 4 and 0"},
      {"{" T("a", "F32", "[1]", "[4,8]") "}", 8, CEL_E_FORMAT, "leaves a gap"},
      {"{" T("a", "F32", "[1]", "[0]") "}", 4, CEL_E_FORMAT, "expected ','"},
      {"{" T("a", "F32", "[1]", "[0,4,8]") "}", 4, CEL_E_FORMAT, "expected ']'"},
      {"{" T("a", "F32", "[1]", "[9223372036854775803,9223372036854775807]") "}", 4, CEL_E_FORMAT,
       "leaves a gap"},
      {"{" T("a", "F32", "[2]", "[0,8]") "}", 4, CEL_E_CORRUPT, "truncated: it has 4 of 8 bytes"},
      {"{" T("a", "F32", "[1]", "[0,4]") "}", 5, CEL_E_CORRUPT, "but it has 5"},
      {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[1]", "[4,8]") "}", 8, CEL_E_FORMAT,
       "overlaps the previous tensor"},
      {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT,
       "overlaps"},
      {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[8,12]") "}", 12, CEL_E_FORMAT,
       "leaves a gap"},
      {"{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8, CEL_E_FORMAT,
       "two tensors have the name \"a\""},
      {"{" T("a", "F32", "[1]", "[0,4]") "," T("\\u0061", "F32", "[1]", "[4,8]") "}", 8,
       CEL_E_FORMAT, "two tensors have the name \"a\""},
      {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
       CEL_E_FORMAT, "the key appears twice"},
      {"{\"a\":{\"dtype\":\"F32\",\"size\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
       CEL_E_FORMAT, "must be dtype, shape or data_offsets"},
      {"{" T("a", "F16", "[2]", "[0,4]") "}", 4, CEL_E_UNSUPPORTED,
       "\"a\" has type F16, which is not supported; use F32, F64"},
      {"{" T("a", "F33", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT,
       "has type \"F33\", which does not exist"},
      {"{" T("a", "f32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT, "which does not exist"},
      {"{" T("a", "F32", "[1,1,1,1,1,1,1]", "[0,4]") "}", 4, CEL_E_UNSUPPORTED, "more than 6 dim"},
      {"{" T("", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT, "name is empty"},
      {"{" T("a\\n", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT, "control characters"},
      {"{" T("a\n", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT, "contains a control character"},
      {"{" T("a\\u0000b", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT, "zero character"},
      {"{" T("\\ud800", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT,
       "surrogate pair is incomplete"},
      {"{" T("\\ud800\\u0041", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT,
       "surrogate pair is incomplete"},
      {"{" T("\\udc00", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT,
       "surrogate pair is incomplete"},
      {"{" T("\\u12g4", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT, "4 hexadecimal digits"},
      {"{" T("\\x", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT, "does not exist in JSON"},
      {"{" T("a\xff", "F32", "[1]", "[0,4]") "}", 4, CEL_E_FORMAT, "not UTF-8"},
      {"{\"a", 0, CEL_E_FORMAT, "string has no end"},
      {"{\"a\\", 0, CEL_E_FORMAT, "does not exist in JSON"},
      {"{\"a\\u00", 0, CEL_E_FORMAT, "4 hexadecimal digits"},
      {"{\"__metadata__\":[]}", 0, CEL_E_FORMAT, "expected '{'"},
      {"{\"__metadata__\":{\"a\":1}}", 0, CEL_E_FORMAT, "expected '\"'"},
      {"{\"__metadata__\":{\"a\":null}}", 0, CEL_E_FORMAT, "expected '\"'"},
      {"{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, CEL_E_FORMAT, "expected '\"'"},
      {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, CEL_E_FORMAT, "\"a\" appears twice"},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, CEL_E_FORMAT, "__metadata__ appears twice"},
      {"{\"__metadata__\":{\"digest\":\"00\"}}", 0, CEL_E_CORRUPT, "digest is 99aa06d3"},
      {"{\"__metadata__\":{\"header_digest\":\"00\"}}", 0, CEL_E_CORRUPT, "digest"},
      {"{\"__metadata__\":{\"header_digest\":\"00000000000000000000000000000000\"}}", 0,
       CEL_E_CORRUPT, "the header was changed"},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    CelSafetensors *file = NULL;
    CelStatus status = open_made(list[i].header, strlen(list[i].header), list[i].data, &file);
    if (status != list[i].status) print_error("header %s\n", list[i].header);
    assert_fails(status, list[i].status, list[i].part);
    assert_int_equal(strncmp(cel_error(), "made: ", 6), 0);
    assert_null(file);
  }
}

static void lengths_are_not_trusted(void **state) {
  (void)state;
  const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 7, (uint64_t)INT64_MAX,
                              1ull << 32, 100ull << 20,   (8ull << 20) + 1};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    CelSafetensors *file = NULL;
    unsigned char bytes[32] = {0};
    memcpy(bytes, &lengths[i], 8);
    assert_fails(cel_safetensors_open_bytes("made", bytes, sizeof bytes, &file), CEL_E_FORMAT,
                 "this is not a safetensors file: its first 8 bytes give a header length of");
  }
}

// Deep nesting costs nothing, as the reader does not recurse. Long names and many tensors work.
static void large_headers_are_read(void **state) {
  (void)state;
  CelSafetensors *file = NULL;
  CeliText text = {0};
  celi_text_format(&text, "{\"a\":");
  for (int i = 0; i < 500000; i++) celi_text_add(&text, "[", 1);
  assert_status(open_made(text.data, text.size, 0, &file), CEL_E_FORMAT);
  celi_text_free(&text);
  celi_text_format(&text, "{\"a\":");
  for (int i = 0; i < 100000; i++) celi_text_format(&text, "{\"a\":");
  assert_status(open_made(text.data, text.size, 0, &file), CEL_E_FORMAT);
  celi_text_free(&text);
  char name[97];
  memset(name, 'n', 96), name[96] = 0;
  celi_text_format(&text, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", name);
  assert_fails(open_made(text.data, text.size, 1, &file), CEL_E_UNSUPPORTED,
               "longer than 95 bytes");
  celi_text_free(&text);
  celi_text_format(&text, "{");
  for (int i = 9999; i >= 0; i--) // not in the order of the data
    celi_text_format(&text, "%s\"t%d\":{\"shape\":[1],\"data_offsets\":[%d,%d],\"dtype\":\"U8\"}",
                     i < 9999 ? "," : "", i, i, i + 1);
  celi_text_format(&text, "}  \n\t ");
  assert_ok(open_made(text.data, text.size, 10000, &file));
  assert_int_equal(cel_safetensors_count(file), 10000);
  assert_string_equal(cel_safetensors_at(file, 4321)->name, "t4321");
  assert_ptr_equal(cel_safetensors_find(file, "t777"), cel_safetensors_at(file, 777));
  cel_safetensors_close(file);
  celi_text_free(&text);
}

// Other writers may put doubles at unaligned offsets. The reader copies them.
static void odd_layouts_are_aligned(void **state) {
  (void)state;
  const char header[] = "{" T("byte", "U8", "[1]", "[0,1]") "," T(
      "x", "F64", "[2]", "[1,17]") "," T("y", "F32", "[1]", "[17,21]") "}";
  unsigned char bytes[512] = {0};
  uint64_t n = strlen(header);
  double x[] = {1.25, -3};
  float y = 0.5f;
  memcpy(bytes, &n, 8);
  memcpy(bytes + 8, header, n);
  memcpy(bytes + 8 + n + 1, x, sizeof x);
  memcpy(bytes + 8 + n + 17, &y, sizeof y);
  for (int shift = 0; shift < 8; shift++) {
    CelSafetensors *file = NULL;
    unsigned char moved[520];
    memcpy(moved + shift, bytes, sizeof bytes);
    assert_ok(cel_safetensors_open_bytes("odd", moved + shift, 8 + n + 21, &file));
    const double *got = cel_safetensors_find(file, "x")->data;
    assert_int_equal((uintptr_t)got % 8, 0);
    assert_memory_equal(got, x, sizeof x);
    const float *small = cel_safetensors_find(file, "y")->data;
    assert_int_equal((uintptr_t)small % 4, 0);
    assert_true(*small == 0.5f);
    cel_safetensors_close(file);
  }
}

// ---- tensors that do not match

static void load_changes_nothing_on_error(void **state) {
  const char *path = in_folder(state, "load");
  write_agent(path);
  CelSafetensors *file = open_file(path);
  int64_t three = 3;
  const struct {
    const char *name;
    CelType type;
    int64_t n;
    CelStatus status;
    const char *part;
  } cases[] = {
      {"x", CEL_F64, 4, CEL_E_SHAPE, "tensor \"x\" has shape (3); it must have shape (4)"},
      {"x", CEL_I64, 3, CEL_E_TYPE, "tensor \"x\" has type F64; it must have type I64"},
      {"y", CEL_F64, 3, CEL_E_NAME, "tensor \"y\" (3) is missing"},
      {"x", CEL_F64, 3, CEL_E_NAME, "is not one of the 2 expected tensors"},
  };
  for (int i = 0; i < 4; i++) {
    CelTensors *tensors;
    float *bias;
    assert_ok(cel_tensors_create(&tensors));
    assert_ok(cel_tensors_declare(tensors, "a.bias", CEL_F32, CEL_PARAM, &bias, 1, &three));
    assert_ok(cel_tensors_declare(tensors, cases[i].name, cases[i].type, CEL_MODEL, NULL, 1,
                                  &cases[i].n));
    assert_fails(cel_safetensors_load(file, tensors, CEL_ROLES_MODEL), CEL_E_STATE,
                 "\"a.bias\" is not allocated yet");
    assert_ok(cel_tensors_allocate(tensors));
    assert_fails(cel_safetensors_load(file, tensors, CEL_ROLES_MODEL), cases[i].status,
                 cases[i].part);
    assert_non_null(strstr(cel_error(), path));
    assert_true(bias[0] == 0);
    if (i == 3) {
      assert_ok(cel_safetensors_load_some(file, tensors, CEL_ROLES_MODEL));
      assert_true(isinf(bias[0]));
    }
    cel_tensors_destroy(tensors);
  }
  cel_safetensors_close(file);
}

static void bad_lists_are_not_written(void **state) {
  const char *path = in_folder(state, "bad");
  put_file(path, "old", 3);
  float data[4] = {0};
  CelTensor good = {.name = "t", .type = CEL_F32, .ndim = 1, .shape = {4}, .size = 4, .data = data};
  CelTensor list[2] = {good, good};
  const CelMeta metas[][2] = {{{"a", "b"}, {"a", "c"}},
                              {{"digest", "b"}, {"x", ""}},
                              {{"header_digest", "b"}, {"x", ""}},
                              {{"", "b"}, {"x", ""}},
                              {{"a", "\xff"}, {"x", ""}}};
  assert_fails(cel_safetensors_write_list(path, list, 2, NULL, 0), CEL_E_NAME,
               "two tensors have the name \"t\"");
  for (size_t i = 0; i < sizeof metas / sizeof *metas; i++)
    assert_fails(cel_safetensors_write_list(path, list, 1, metas[i], 2), CEL_E_ARGUMENT,
                 "metadata");
#define BREAK(change, status, part)                                                                \
  list[0] = good;                                                                                  \
  change;                                                                                          \
  assert_fails(cel_safetensors_write_list(path, list, 1, NULL, 0), status, part)
  BREAK(list[0].data = NULL, CEL_E_STATE, "no data");
  BREAK(list[0].name[0] = 0, CEL_E_NAME, "files cannot hold");
  BREAK(memset(list[0].name, 'n', CEL_NAME_MAX), CEL_E_NAME, "files cannot hold");
  BREAK(list[0].size = 5, CEL_E_SHAPE, "the product of its shape differs from its size");
  BREAK(list[0].ndim = 7, CEL_E_SHAPE, "shape");
  BREAK(list[0].type = (CelType)99, CEL_E_TYPE, "type");
#undef BREAK
  size_t size;
  char *bytes = get_file(path, &size);
  assert_int_equal(size, 3);
  free(bytes);
}

static void bad_paths_are_reported(void **state) {
  CelSafetensors *file = NULL;
  Agent agent = filled_agent();
  assert_fails(cel_safetensors_open(in_folder(state, "none"), &file), CEL_E_IO,
               "none: cannot be opened: No such file or directory");
  assert_fails(cel_safetensors_open(*state, &file), CEL_E_IO, "Is a directory");
  assert_fails(cel_safetensors_open("/dev/null", &file), CEL_E_IO, "a pipe or device");
  assert_fails(
      cel_safetensors_write(in_folder(state, "no/x"), agent.tensors, CEL_ROLES_RESUME, NULL, 0),
      CEL_E_IO, "No such file or directory");
  assert_fails(cel_safetensors_write("/dev/full", agent.tensors, CEL_ROLES_RESUME, NULL, 0),
               CEL_E_IO, "No space left on device");
  assert_null(file);
  cel_tensors_destroy(agent.tensors);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_read_back),           cmocka_unit_test(same_tensors_make_same_bytes),
      cmocka_unit_test(digests_are_of_the_data),   cmocka_unit_test(python_reads_our_files),
      cmocka_unit_test(we_read_pythons_files),     cmocka_unit_test(files_cut_anywhere_are_refused),
      cmocka_unit_test(flipped_bits_are_noticed),  cmocka_unit_test(hostile_headers_are_refused),
      cmocka_unit_test(lengths_are_not_trusted),   cmocka_unit_test(large_headers_are_read),
      cmocka_unit_test(odd_layouts_are_aligned),   cmocka_unit_test(load_changes_nothing_on_error),
      cmocka_unit_test(bad_lists_are_not_written), cmocka_unit_test(bad_paths_are_reported),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
