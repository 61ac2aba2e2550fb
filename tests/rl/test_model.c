/// Spaces and policies as JSON: a round trip keeps every bit, and invalid texts are rejected.
#include "rl/model.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_round_trip(const CelSpace *space) {
  char *text;
  CelSpace back;
  assert_int_equal(celi_space_to_json(space, &text), CEL_OK);
  if (celi_space_from_json(&back, text)) fail_msg("%s: %s", text, cel_error());
  assert_int_equal(back.n_parts, space->n_parts);
  for (int i = 0; i < space->n_parts; i++) {
    const CelSpacePart *a = &space->part[i], *b = &back.part[i];
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->ndim, b->ndim);
    assert_memory_equal(a->shape, b->shape, (size_t)a->ndim * sizeof a->shape[0]);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->low, b->low, sizeof a->low);
    assert_memory_equal(a->high, b->high, sizeof a->high);
  }
  free(text);
}

static void test_spaces_round_trip(void **state) {
  (void)state;
  CelSpace space = cel_space_box(3, -1, 1);
  assert_round_trip(&space);
  space = cel_space_box(17, -HUGE_VAL, HUGE_VAL);
  assert_round_trip(&space);
  space = cel_space_box(1000, 0, 0.1);
  assert_round_trip(&space);
  const double low[4] = {-1, -(double)FLT_MAX, -HUGE_VAL, 0.1},
               high[4] = {1, (double)FLT_MAX, 3, 1.0 / 3};
  space = cel_space_box_bounds(4, low, high);
  assert_round_trip(&space);
  space = cel_space_discrete(7);
  assert_round_trip(&space);
  const int64_t n[3] = {2, 5, 3};
  space = cel_space_multi_discrete(3, n);
  assert_round_trip(&space);
  space = cel_space_multi_binary(9);
  assert_round_trip(&space);
  space = cel_space_box(3 * 8 * 9, 0, 255);
  space.n_parts = 2;
  space.part[0].type = CEL_U8;
  space.part[0].ndim = 3;
  space.part[0].shape[0] = 3, space.part[0].shape[1] = 8, space.part[0].shape[2] = 9;
  snprintf(space.part[0].name, sizeof space.part[0].name, "the \"eye\"");
  space.part[1] = cel_space_discrete(2).part[0];
  snprintf(space.part[1].name, sizeof space.part[1].name, "gear");
  assert_round_trip(&space);
}

static void test_bad_space_is_not_written(void **state) {
  (void)state;
  char *text = (char *)"untouched";
  CelSpace space = cel_space_box(2, 1, -1);
  assert_int_equal(celi_space_to_json(&space, &text), CEL_E_RANGE);
  assert_null(text);
}

static void test_hostile_spaces(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "null",
      "[]",
      "{}",
      "{\"parts\":3}",
      "{\"parts\":[]}",
      "{\"parts\":[3]}",
      "{\"parts\":[{}]}",
      "{\"parts\":[",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"sphere\",\"type\":\"F32\",\"shape\":[1],\"low\":0,"
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F16\",\"shape\":[1],\"low\":0,"
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[0],\"low\":0,"
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[-3],\"low\":0,"
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[1.5],\"low\":0,"
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[1e300],\"low\":0,"
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[9e15,9e15],\"low\":"
      "0,\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[1,1,1,1,1],\"low\":"
      "0,\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[2],\"low\":[0],"
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[2],\"low\":[0,0,0],"
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[2],\"low\":0}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[2],\"low\":0,"
      "\"high\":1e39}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[2],\"low\":2,"
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[2],\"low\":\"nan\","
      "\"high\":1}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"discrete\",\"type\":\"I32\",\"shape\":[1],\"n\":0}]}",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"discrete\",\"type\":\"I32\",\"shape\":[1]}]}",
      "{\"parts\":[{\"name\":\"0123456789012345678901234567890123456789\",\"kind\":\"discrete\","
      "\"type\":\"I32\",\"shape\":[1],\"n\":2}]}",
  };
  CelSpace space;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    const CelStatus status = celi_space_from_json(&space, texts[i]);
    if (status == CEL_OK) fail_msg("accepted: %s", texts[i]);
    assert_true(strlen(cel_error()) > 10);
  }
}

static void test_too_many_parts(void **state) {
  (void)state;
  char text[4096] = "{\"parts\":[";
  for (int i = 0; i < 9; i++) {
    char part[128];
    snprintf(part, sizeof part,
             "%s{\"name\":\"p%d\",\"kind\":\"multi_binary\",\"type\":\"U8\",\"shape\":[1]}",
             i ? "," : "", i);
    strcat(text, part);
  }
  strcat(text, "]}");
  CelSpace space;
  assert_int_equal(celi_space_from_json(&space, text), CEL_E_FORMAT);
  assert_non_null(strstr(cel_error(), "8 parts"));
}

/// Every change of a single byte is read or rejected. Sanitizers check that nothing else happens.
static void test_changed_bytes(void **state) {
  (void)state;
  const double low[2] = {-1, -2}, high[2] = {1, 2};
  CelSpace space = cel_space_box_bounds(2, low, high), back;
  char *text;
  assert_int_equal(celi_space_to_json(&space, &text), CEL_OK);
  const size_t n = strlen(text);
  int refused = 0;
  for (size_t i = 0; i < n; i++) {
    const char kept = text[i];
    for (int c = 0; c < 256; c++) {
      text[i] = (char)c;
      refused += celi_space_from_json(&back, text) != CEL_OK;
    }
    text[i] = kept;
  }
  assert_true(refused > 1000);
  free(text);
}

static void test_policies(void **state) {
  (void)state;
  const CeliPolicySpec spec = {.kind = CELI_SQUASHED_GAUSSIAN, .activation = CELI_SILU, .A = 6};
  CeliPolicySpec back;
  char *text;
  assert_int_equal(celi_policy_to_json(&spec, &text), CEL_OK);
  assert_string_equal(text,
                      "{\"kind\":\"squashed_gaussian\",\"activation\":\"silu\",\"action_dim\":6}");
  assert_int_equal(celi_policy_from_json(&back, text), CEL_OK);
  assert_memory_equal(&back, &spec, sizeof spec);
  free(text);
  const CeliPolicySpec none = {.kind = CELI_GAUSSIAN, .activation = CELI_RELU};
  assert_int_equal(celi_policy_to_json(&none, &text), CEL_E_RANGE);
  assert_int_equal(celi_policy_from_json(
                       &back, "{\"kind\":\"gausian\",\"activation\":\"relu\",\"action_dim\":1}"),
                   CEL_E_NAME);
  assert_non_null(strstr(cel_error(), "gausian"));
  assert_int_equal(celi_policy_from_json(
                       &back, "{\"kind\":\"gaussian\",\"activation\":\"swish\",\"action_dim\":1}"),
                   CEL_E_NAME);
  assert_int_equal(celi_policy_from_json(
                       &back, "{\"kind\":\"gaussian\",\"activation\":\"relu\",\"action_dim\":0}"),
                   CEL_E_FORMAT);
  assert_int_equal(celi_policy_from_json(&back, "{\"kind\":7}"), CEL_E_FORMAT);
  assert_int_equal(celi_policy_from_json(&back, "nonsense"), CEL_E_FORMAT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_spaces_round_trip), cmocka_unit_test(test_bad_space_is_not_written),
      cmocka_unit_test(test_hostile_spaces),    cmocka_unit_test(test_too_many_parts),
      cmocka_unit_test(test_changed_bytes),     cmocka_unit_test(test_policies),
  };
  return cmocka_run_group_tests_name("rl/model", tests, NULL, NULL);
}
