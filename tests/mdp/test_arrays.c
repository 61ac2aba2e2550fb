/// Problems from arrays: equal to those of the builder, and every kind of misuse.
#include "model_cases.h"

static CelMdp *from(const CelMdpArrays *arrays) {
  CelMdp *mdp = NULL;
  assert_ok(cel_mdp_from_arrays(&mdp, arrays));
  return mdp;
}

static void refused(const CelMdpArrays *arrays, CelStatus status, const char *part) {
  CelMdp *mdp = NULL;
  const CelStatus got = cel_mdp_from_arrays(&mdp, arrays);
  if (got != status || !strstr(cel_error(), part))
    fail_msg("expected %s and '%s', got %s: %s", cel_status_name(status), part,
             cel_status_name(got), cel_error());
  assert_null(mdp);
}

// Two actions in state 0, one in state 2; state 1 is terminal.
static const int64_t pair[] = {0, 2, 2, 3}, row[] = {0, 2, 3, 5};
static const int64_t next[] = {2, 1, 1, 0, 1};
static const double probability[] = {0.25, 0.75, 1, 0.5, 0.5};
static const CelMdpArrays small = {.states = 3,
                                   .discount = 0.9,
                                   .pair = pair,
                                   .row = row,
                                   .next = next,
                                   .probability = probability};

static void equal_to_the_builder(void **state) {
  (void)state;
  static const double reward[] = {1, -1, 0.5}, reward_next[] = {0, 4, 2, 1, 1};
  static const double start[] = {0.75, 0, 0.25};
  static const uint8_t ends[] = {0, 1, 1, 0, 0};
  static const int64_t action[] = {1, 4, 2};
  CelMdpArrays arrays = small;
  arrays.reward = reward;
  arrays.reward_next = reward_next;
  arrays.ends = ends;
  arrays.action = action;
  arrays.start = start;
  arrays.name = "arrays";
  CelMdp *got = from(&arrays);
  CelMdpBuilder *b = builder_of(3, 0.9, 0);
  for (int64_t s = 0; s < 3; s++)
    for (int64_t p = pair[s]; p < pair[s + 1]; p++) {
      assert_ok(cel_mdp_pair(b, s, action[p], reward[p]));
      for (int64_t t = row[p]; t < row[p + 1]; t++)
        assert_ok(cel_mdp_transition(b, next[t], probability[t], reward_next[t], ends[t] != 0));
    }
  for (int64_t s = 0; s < 3; s++) assert_ok(cel_mdp_start(b, s, start[s]));
  CelMdp *want = built(b);
  assert_string_equal(got->name, "arrays");
  assert_int_equal(got->pairs, want->pairs);
  assert_int_equal(got->transitions, want->transitions);
  assert_memory_equal(got->pair, want->pair, 4 * sizeof *got->pair);
  assert_memory_equal(got->row, want->row, 4 * sizeof *got->row);
  assert_memory_equal(got->next32, want->next32, 5 * sizeof *got->next32);
  assert_memory_equal(got->probability, want->probability, 5 * sizeof *got->probability);
  assert_memory_equal(got->reward, want->reward, 3 * sizeof *got->reward);
  assert_memory_equal(got->reward_next, want->reward_next, 5 * sizeof *got->reward_next);
  assert_memory_equal(got->ends, want->ends, 5);
  assert_memory_equal(got->action, want->action, 3 * sizeof *got->action);
  assert_memory_equal(got->start, want->start, 3 * sizeof *got->start);
  cel_mdp_destroy(got);
  cel_mdp_destroy(want);
}

static void missing_arrays(void **state) {
  (void)state;
  CelMdp *mdp = from(&small);
  static const double start[] = {0.5, 0, 0.5};
  assert_memory_equal(mdp->start, start, sizeof start);
  assert_null(mdp->ends);
  assert_null(mdp->action);
  assert_true(mdp->reward[0] == 0 && mdp->reward[2] == 0);
  assert_string_equal(mdp->name, "");
  cel_mdp_destroy(mdp);
  CelMdpArrays arrays = small;
  arrays.next = NULL;
  refused(&arrays, CEL_E_ARGUMENT, "arrays->next is NULL");
  arrays = small;
  arrays.probability = NULL;
  refused(&arrays, CEL_E_ARGUMENT, "arrays->probability is NULL");
  arrays = small;
  arrays.row = NULL;
  refused(&arrays, CEL_E_ARGUMENT, "arrays->row is NULL");
}

static void misuse(void **state) {
  (void)state;
  static const int64_t late[] = {1, 2, 2, 3}, falling[] = {0, 2, 1, 3}, row_falls[] = {0, 2, 1, 5};
  static const int64_t outside[] = {2, 3, 1, 0, 1}, twice[] = {1, 1, 0};
  static const double high[] = {0.25, 0.8, 1, 0.5, 0.5}, nan[] = {0.25, NAN, 1, 0.5, 0.5};
  CelMdpArrays arrays = small;
  arrays.pair = late;
  refused(&arrays, CEL_E_RANGE, "pair[0] is 1; it must be 0");
  arrays.pair = falling;
  refused(&arrays, CEL_E_RANGE, "pair[2] is 1, below pair[1], which is 2");
  arrays = small;
  arrays.row = row_falls;
  refused(&arrays, CEL_E_RANGE, "row[2] is 1, below row[1], which is 2");
  arrays = small;
  arrays.next = outside;
  refused(&arrays, CEL_E_RANGE, "state 0, action 0");
  arrays = small;
  arrays.probability = high;
  refused(&arrays, CEL_E_RANGE,
          "state 0, action 0: the probabilities of its 2 transitions sum to "
          "1.05");
  arrays.probability = nan;
  refused(&arrays, CEL_E_NAN, "state 0, action 0");
  arrays = small;
  arrays.action = twice;
  refused(&arrays, CEL_E_RANGE, "state 0");
  arrays = small;
  arrays.discount = 1.5;
  refused(&arrays, CEL_E_RANGE, "discount");
  arrays = small;
  arrays.states = 0;
  refused(&arrays, CEL_E_RANGE, "0 states");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equal_to_the_builder),
      cmocka_unit_test(missing_arrays),
      cmocka_unit_test(misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
