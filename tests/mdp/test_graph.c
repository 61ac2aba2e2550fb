/// Graph searches and end components of small random MDPs, compared with their definitions: all
/// policies, all sets of states, and the transitive closure.
#include "base/base_test.h"
#include "mdp/graph/graph.h"
#include "mdp/problems.h"

enum { MOST = 6, PROBLEMS = 1500 };

typedef struct Case {
  Problem problem;
  CeliGraph g;
  uint32_t nodes;
  uint8_t goal[MOST + 1];
} Case;

static void make(Case *c, uint64_t seed) {
  const ProblemSpec spec = {.states = 2 + (int64_t)(seed % (MOST - 1)),
                            .actions = 2,
                            .branching = 2,
                            .discount = 1.0,
                            .ragged = true,
                            .terminals = seed % 3 == 0};
  uint64_t random = seed * 31 + 7;
  problem_make(&c->problem, &spec, seed);
  CelMdp *mdp = &c->problem.mdp;
  for (int64_t t = 0; t < mdp->transitions; t++) // zero probabilities do not exist
    if (t + 1 < mdp->transitions && problem_uniform(&random) < 0.1) c->problem.probability[t] = 0.0;
  for (int64_t p = 0; p < mdp->pairs; p++) { // each row needs one that exists
    bool any = false;
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) any |= mdp->probability[t] > 0.0;
    if (!any) c->problem.probability[mdp->row[p]] = 1.0;
  }
  assert_ok(celi_graph_create(&c->g, mdp));
  c->nodes = c->g.nodes;
  for (uint32_t n = 0; n < c->nodes; n++) c->goal[n] = problem_uniform(&random) < 0.25;
  celi_graph_close_states(&c->g, c->goal); // episodes end there
}

static void release(Case *c) {
  celi_graph_destroy(&c->g);
  problem_free(&c->problem);
}

/// The nodes to which pair p leads.
static uint32_t leads_to(const Case *c, int64_t p) {
  uint32_t set = 0, node;
  for (int64_t t = c->problem.row[p]; t < c->problem.row[p + 1]; t++)
    if (celi_graph_next(&c->problem.mdp, t, &node)) set |= 1u << node;
  return set;
}

static uint32_t bits(const uint8_t *set, uint32_t n) {
  uint32_t all = 0;
  for (uint32_t i = 0; i < n; i++) all |= set[i] ? 1u << i : 0;
  return all;
}

/// A policy: the pair of each state, or -1 if it has none. Returns false after the last one.
static bool next_policy(const Case *c, int64_t *policy) {
  for (int64_t s = 0; s < c->problem.mdp.states; s++) {
    const int64_t end = c->problem.pair[s + 1];
    if (c->problem.pair[s] == end) continue;
    if (++policy[s] < end) return true;
    policy[s] = c->problem.pair[s];
  }
  return false;
}

/// The nodes from which the policy may get to a node of `set` (1) or stays within it surely forever
/// or until nothing follows. Open pairs only.
static uint32_t may_reach(const Case *c, const int64_t *policy, uint32_t set) {
  for (bool changed = true; changed;) {
    changed = false;
    for (int64_t s = 0; s < c->problem.mdp.states; s++) {
      if (set >> s & 1 || policy[s] < 0 || !c->g.open[policy[s]]) continue;
      if (!(leads_to(c, policy[s]) & set)) continue;
      set |= 1u << s;
      changed = true;
    }
  }
  return set;
}

static void searches_agree_with_all_policies(void **state) {
  (void)state;
  int reached = 0, sure = 0;
  for (uint64_t seed = 1; seed <= PROBLEMS; seed++) {
    Case c;
    int64_t policy[MOST + 1];
    make(&c, seed);
    const uint32_t goal = bits(c.goal, c.nodes), all = (1u << c.nodes) - 1;
    uint32_t some = 0, every = all, surely = 0;
    for (int64_t s = 0; s < c.problem.mdp.states; s++)
      policy[s] = c.problem.pair[s] < c.problem.pair[s + 1] ? c.problem.pair[s] : -1;
    do {
      const uint32_t can = may_reach(&c, policy, goal);
      some |= can, every &= can;
      // Surely: no path leads to a node from which the goal is out of reach.
      surely |= all & ~may_reach(&c, policy, all & ~can);
    } while (next_policy(&c, policy));
    uint8_t set[MOST + 1];
    memcpy(set, c.goal, c.nodes);
    celi_graph_can_reach(&c.g, set, NULL);
    if (bits(set, c.nodes) != some) fail_msg("seed %d: can reach", (int)seed);
    memcpy(set, c.goal, c.nodes);
    celi_graph_must_reach(&c.g, set);
    if (bits(set, c.nodes) != every) fail_msg("seed %d: must reach", (int)seed);
    memset(set, 1, c.nodes);
    celi_graph_surely_reach(&c.g, set, c.goal);
    if (bits(set, c.nodes) != surely) fail_msg("seed %d: surely reach", (int)seed);
    for (int64_t p = 0; p < c.problem.mdp.pairs; p++) // the pairs that leave the set are closed
      if (set[c.g.state_of[p]] && !c.goal[c.g.state_of[p]])
        assert_int_equal(c.g.open[p], (leads_to(&c, p) & ~surely) == 0);
    reached += some != goal, sure += surely != goal;
    release(&c);
  }
  assert_in_range(reached, PROBLEMS / 3, PROBLEMS);
  assert_in_range(sure, PROBLEMS / 10, PROBLEMS);
}

/// True if the states of `set` have pairs with which each can get to each and that stay in it.
static bool is_end_component(const Case *c, uint32_t set) {
  uint32_t reach[MOST] = {0};
  for (int64_t s = 0; s < c->problem.mdp.states; s++)
    for (int64_t p = c->problem.pair[s]; p < c->problem.pair[s + 1]; p++)
      if (c->g.open[p] && !(leads_to(c, p) & ~set)) reach[s] |= leads_to(c, p);
  for (int k = 0; k < MOST; k++)
    for (int i = 0; i < MOST; i++)
      if (reach[i] >> k & 1) reach[i] |= reach[k];
  for (int i = 0; i < MOST; i++)
    if (set >> i & 1 && (reach[i] & set) != set) return false;
  return set != 0;
}

static void components_are_the_largest_end_components(void **state) {
  (void)state;
  int found = 0;
  for (uint64_t seed = 1; seed <= PROBLEMS; seed++) {
    Case c;
    make(&c, seed);
    const CelMdp *mdp = &c.problem.mdp;
    const uint32_t states = (uint32_t)mdp->states;
    uint32_t largest[MOST] = {0}, component[MOST + 1], count;
    for (uint32_t set = 1; set < 1u << states; set++) {
      if (!is_end_component(&c, set)) continue;
      for (uint32_t s = 0; s < states; s++)
        if (set >> s & 1 && (set & ~largest[s])) largest[s] |= set;
    }
    uint8_t *use = calloc((size_t)mdp->pairs, 1);
    assert_non_null(use);
    memset(use, 1, (size_t)mdp->pairs);
    assert_ok(celi_graph_components(&c.g, use, component, &count));
    for (uint32_t s = 0; s < states; s++) {
      uint32_t mine = 0;
      for (uint32_t n = 0; n < states && component[s] != CELI_NO_COMPONENT; n++)
        if (component[n] == component[s]) mine |= 1u << n;
      if (mine != largest[s])
        fail_msg("seed %d, state %u: component %x instead of %x", (int)seed, s, mine, largest[s]);
      for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
        assert_int_equal(use[p], mine && c.g.open[p] && !(leads_to(&c, p) & ~mine));
    }
    found += (int)count;
    free(use);
    release(&c);
  }
  assert_in_range(found, PROBLEMS / 4, PROBLEMS * MOST);
}

/// Successors come first, components are those of the transitive closure, and states of a component
/// keep their given order.
static void orders_put_successors_first(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= PROBLEMS; seed++) {
    Case c;
    make(&c, seed);
    const uint32_t states = (uint32_t)c.problem.mdp.states;
    uint32_t reach[MOST] = {0}, first[MOST], order[MOST], component[MOST], place[MOST];
    for (uint32_t s = 0; s < states; s++) {
      first[s] = states - 1 - s; // descending
      reach[s] = 1u << s;
      for (int64_t p = c.problem.pair[s]; p < c.problem.pair[s + 1]; p++)
        reach[s] |= leads_to(&c, p);
    }
    for (uint32_t k = 0; k < states; k++)
      for (uint32_t i = 0; i < states; i++)
        if (reach[i] >> k & 1) reach[i] |= reach[k];
    assert_ok(celi_graph_order(&c.problem.mdp, first, order, component));
    for (uint32_t i = 0; i < states; i++) place[order[i]] = i;
    for (uint32_t a = 0; a < states; a++)
      for (uint32_t b = 0; b < states; b++) {
        const bool to = reach[a] >> b & 1, back = reach[b] >> a & 1;
        if ((to && back) != (component[a] == component[b]) ||
            (to && !back && (place[b] > place[a] || component[b] > component[a])) ||
            (to && back && a > b && place[a] > place[b]))
          fail_msg("seed %d: states %u and %u", (int)seed, a, b);
      }
    assert_ok(celi_graph_order(&c.problem.mdp, first, order, NULL));
    release(&c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(searches_agree_with_all_policies),
      cmocka_unit_test(components_are_the_largest_end_components),
      cmocka_unit_test(orders_put_successors_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
