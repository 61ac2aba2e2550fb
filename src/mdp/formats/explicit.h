/// What the explicit formats of probabilistic model checkers share (UMB, DRN, Storm, PRISM): arrays
/// of a problem that become a CelMdp, and the labels and rewards that are written.
///
/// In these formats every state has a choice. A state without choices gets a self-loop and the
/// label "deadlock". So a state with that label whose only choice is a self-loop without reward is
/// terminal. Initial states are a set, and all have the same probability.
#ifndef CELSIUS_MDP_FORMAT_EXPLICIT_H
#define CELSIUS_MDP_FORMAT_EXPLICIT_H
#include "celsius/mdp.h"

/// Arrays of a problem. The sizes of all arrays, and that `pair` and `row` ascend from 0 to their
/// totals, are checked by the reader of the format. Values are checked here.
typedef struct CeliExplicit {
  const char *file; ///< name in messages
  int64_t states, pairs, transitions;
  const uint64_t *pair;      ///< (states + 1); NULL: one pair per state
  const uint64_t *row;       ///< (pairs + 1); NULL: one transition per pair
  const uint64_t *next;      ///< (transitions)
  const double *probability; ///< (transitions); NULL: ones
  const uint32_t *action;    ///< (pairs) used if they ascend within each state; or NULL
  const uint8_t *initial;    ///< (states) 1: initial; NULL: none
  const double *start;       ///< (states) initial distribution, instead of `initial`; or NULL
  const CelMdpLabel *label;  ///< (labels)
  int64_t labels;
  const CelMdpReward *reward; ///< (rewards)
  int64_t rewards;
  double discount; ///< NAN: none
  const char *name;
  const char *left_out; ///< as in CelMdp
} CeliExplicit;

/// Builds the MDP and selects its rewards. Messages begin with the file.
CelStatus celi_explicit_build(CelMdp **out, const CeliExplicit *from,
                              const CelMdpLoadOptions *options) CEL_WARN_UNUSED;

/// Checks what such files cannot express: a horizon, ends in states with actions, other initial
/// distributions. `whose`: "PRISM's files". Errors: CEL_E_UNSUPPORTED.
CelStatus celi_explicit_check(const CelMdp *mdp, const char *whose) CEL_WARN_UNUSED;
/// True if the MDP has rewards that are not one of its named models.
bool celi_explicit_own_rewards(const CelMdp *mdp);

/// The labels and reward models to write.
typedef struct CeliExplicitNames {
  CelMdpLabel *label; ///< the MDP's, with "deadlock" on all terminal states, without "init"
  int64_t labels;
  CelMdpReward *reward; ///< the MDP's, and its own rewards if they are not one of them
  int64_t rewards;
  uint8_t *deadlock; ///< memory of that label
} CeliExplicitNames;
/// Free them with celi_explicit_names_free, also after an error.
/// Errors: CEL_E_UNSUPPORTED (a label "init" other than the initial states), CEL_E_MEMORY.
CelStatus celi_explicit_names(const CelMdp *mdp, CeliExplicitNames *out) CEL_WARN_UNUSED;
void celi_explicit_names_free(CeliExplicitNames *names);

#endif
