/// Builds ten million states with four actions and four transitions each, in one pass and within 6
/// GB.
#include "model_cases.h"
#include <sys/resource.h>

enum { S = 10000000, A = 4, K = 4 };

/// Transitions like those of a grid of 1000 columns, with all optional arrays.
static void add_state(CelMdpBuilder *b, int64_t s) {
  for (int64_t a = 0; a < A; a++) {
    assert_ok(cel_mdp_pair(b, s, a, -1));
    for (int64_t k = 0; k < K; k++) {
      const int64_t next = (s + 1000 * ((a + k) % K) + S - 1) % S;
      assert_ok(cel_mdp_transition(b, next, 0.25, (double)k, k == 3 && s % 1000 == 0));
    }
  }
}

static double gigabytes_used(void) {
  struct rusage usage;
  assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
  return (double)usage.ru_maxrss * 1024 / 1e9;
}

static void ten_million_states(void **state) {
  (void)state;
  if (sanitized()) skip();
  CelMdpBuilder *b = builder_of(S, 0.99, 0);
  const CelStatus room = cel_mdp_builder_reserve(b, (int64_t)S * A * 2, (int64_t)S * A * K * 2);
  if (room == CEL_E_MEMORY) { // reserving twice as much succeeds if there is enough memory
    print_message("skipped: %s\n", cel_error());
    cel_mdp_builder_destroy(b);
    skip();
  }
  assert_ok(room);
  cel_mdp_builder_destroy(b);
  b = builder_of(S, 0.99, 0); // and now without reserving
  for (int64_t s = 0; s < S; s++) add_state(b, s);
  CelMdp *mdp = built(b);
  const double used = gigabytes_used();
  print_message("%lld transitions, %.2f GB\n", (long long)mdp->transitions, used);
  assert_int_equal(mdp->transitions, (int64_t)S * A * K);
  assert_non_null(mdp->reward_next);
  assert_non_null(mdp->ends);
  assert_true(mdp->reward[0] == 0.5);
  assert_true(used < 6);
  cel_mdp_destroy(mdp);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(ten_million_states)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
