/// Building problems: what comes out, and every way to do it wrong.
#include "base/base_test.h"
#include "celsius/mdp.h"
#include <math.h>

static CelMdpBuilder *builder_of(int64_t states, double discount, int64_t horizon) {
  CelMdpBuilder *builder = NULL;
  assert_ok(cel_mdp_builder_create(&builder, states, discount, horizon));
  return builder;
}

static CelMdp *built(CelMdpBuilder *builder) {
  CelMdp *mdp = NULL;
  assert_ok(cel_mdp_build(builder, &mdp));
  cel_mdp_builder_destroy(builder);
  assert_ok(cel_mdp_check(mdp));
  return mdp;
}

// ---- what comes out

static void a_small_problem_is_as_it_was_told(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(4, 0.9, 0);
  assert_ok(cel_mdp_set_name(b, "small"));
  assert_ok(cel_mdp_pair(b, 0, 0, 1.0));
  assert_ok(cel_mdp_transition(b, 2, 0.25, 0, false));
  assert_ok(cel_mdp_transition(b, 1, 0.75, 0, false));
  assert_ok(cel_mdp_pair(b, 0, 1, -1.0));
  assert_ok(cel_mdp_transition(b, 3, 1.0, 0.5, false));
  assert_ok(cel_mdp_pair(b, 2, 0, 0.0)); // state 1 is passed over: terminal
  assert_ok(cel_mdp_transition(b, 0, 1.0, 0, false));
  CelMdp *mdp = built(b);
  assert_string_equal(mdp->name, "small");
  assert_int_equal(mdp->states, 4);
  assert_int_equal(mdp->pairs, 3);
  assert_int_equal(mdp->transitions, 4);
  assert_int_equal(mdp->max_actions, 2);
  const int64_t pair[] = {0, 2, 2, 3, 3}, row[] = {0, 2, 3, 4};
  assert_memory_equal(mdp->pair, pair, sizeof pair);
  assert_memory_equal(mdp->row, row, sizeof row);
  const uint32_t next[] = {1, 2, 3, 0};
  assert_memory_equal(mdp->next32, next, sizeof next);
  const double probability[] = {0.75, 0.25, 1, 1}, reward[] = {1, -0.5, 0};
  assert_memory_equal(mdp->probability, probability, sizeof probability);
  assert_memory_equal(mdp->reward, reward, sizeof reward);
  assert_null(mdp->reward_next);
  assert_null(mdp->ends);
  assert_null(mdp->action);
  assert_null(mdp->next64);
  assert_null(mdp->grid);
  const double start[] = {0.5, 0, 0.5, 0}; // the states that are not terminal
  assert_memory_equal(mdp->start, start, sizeof start);
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(NULL);
  cel_mdp_builder_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_small_problem_is_as_it_was_told)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
