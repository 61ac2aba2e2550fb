/// The Crowds protocol for anonymous browsing. A request travels through random members of a crowd
/// of S good members. The next member is bad with probability 0.167 and then notes from whom the
/// request came. A good member passes the request on with probability 0.8 and delivers it
/// otherwise. Member 0 sends R requests.
///
///     reward   1 per request
///     labels   observe0Greater1: the sender was noted at least twice; observeIGreater1: another
///              member was; observeOnlyTrueSender: the sender was, and no other member
///
/// Source: Reiter, Rubin, "Crowds: anonymity for web transactions", 1998; Shmatikov, "Probabilistic
/// model checking of an anonymity system", J. Computer Security 2004.
#include "mdp/generators/explore.h"

enum { MOST = 40 }; ///< members

typedef struct Crowds {
  CeliMdpCommon common;
  int64_t members, requests;
} Crowds;

#define GAMMA "0.999"
#define AT(member) offsetof(Crowds, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "members", .type = CEL_FIELD_INT, .offset = AT(members), .def = "5", .min = 2,
     .max = 40,
     .doc = "good members S of the crowd"},
    {.name = "requests", .type = CEL_FIELD_INT, .offset = AT(requests), .def = "3", .min = 1,
     .max = 200,
     .doc = "requests R of the sender"},
    {0},
};
// clang-format on
#undef AT

enum { READY, CHOOSE, CHOSEN, FORWARD, DELIVER }; // phase

typedef struct State {
  uint8_t phase, good, requests, last; ///< last: the member that has the request
  uint8_t noted[MOST];                 ///< how often each member was noted
} State;

static void start(const void *what, void *state) {
  (void)what, (void)state;
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  const Crowds *c = what;
  const State *s = state;
  State next = *s;
  switch (s->phase) {
  case READY:
    if (s->requests == c->requests) return;
    next.phase = CHOOSE, next.requests++, next.last = 0;
    celi_moves_step(out, 1, &next);
    return;
  case CHOOSE:
    celi_moves_choice(out, 0);
    next.phase = CHOSEN, next.good = 1;
    celi_moves_to(out, 0.833, &next);
    next.good = 0;
    celi_moves_to(out, 0.167, &next);
    return;
  case CHOSEN:
    celi_moves_choice(out, 0);
    if (!s->good) {
      next.noted[s->last]++, next.phase = DELIVER;
      celi_moves_to(out, 1, &next);
      return;
    }
    next.phase = FORWARD;
    for (int64_t i = 0; i < c->members; i++) {
      next.last = (uint8_t)i;
      celi_moves_to(out, 1.0 / (double)c->members, &next);
    }
    return;
  case FORWARD:
    celi_moves_choice(out, 0);
    next.phase = CHOOSE;
    celi_moves_to(out, 0.8, &next);
    next.phase = DELIVER;
    celi_moves_to(out, 0.2, &next);
    return;
  default:
    next.phase = READY;
    celi_moves_step(out, 0, &next);
    return;
  }
}

static bool has(const void *what, const void *state, int label) {
  const State *s = state;
  bool others = false;
  for (int64_t i = 1; i < ((const Crowds *)what)->members; i++) others |= s->noted[i] > 1;
  const bool sender = s->noted[0] > 1;
  return label == 0 ? sender : label == 1 ? others : sender && !others;
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"observe0Greater1", "observeIGreater1",
                                       "observeOnlyTrueSender", NULL};
  static const CeliExplore family = {"crowds", sizeof(State), start, moves, labels, has};
  return celi_mdp_explore(out, config, &family, config);
}

const CelMdpGenerator celi_mdp_crowds = {
    .name = "crowds",
    .doc = "requests through a crowd with members that observe; a Markov chain with labels",
    .fields = fields,
    .config_size = sizeof(Crowds),
    .make = make,
    .max_episode_steps = 0,
};
