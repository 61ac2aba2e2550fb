/// What a .mdp or .pomdp file says, between its reader (cassandra.c) and what makes a problem of it
/// (cassandra_build.c).
#ifndef CELSIUS_MDP_CASSANDRA_H
#define CELSIUS_MDP_CASSANDRA_H
#include "mdp/formats/cassandra_rules.h"
#include "mdp/formats/text.h"

typedef struct CeliCassandra {
  CeliScan scan; ///< the reader's; the file's name for messages
  int64_t states, actions;
  int64_t observations; ///< 0: a problem that is observed as it is
  double discount;      ///< NAN: none
  int64_t discount_line, states_line, start_line;
  bool costs;          ///< the values of R are costs
  double *start;       ///< (states) or NULL: uniform
  CeliRules t, o, r;   ///< P(j|i,a); P(observation|i,a), i the state that was reached; r(i,a,j,o)
  bool by_observation; ///< some reward differs by observation
} CeliCassandra;

/// Errors: CEL_E_UNSUPPORTED (the format cannot express the problem), CEL_E_IO.
CelStatus celi_mdp_save_cassandra(const CelMdp *mdp, const char *path) CEL_WARN_UNUSED;

/// Makes the problem; the rules are sealed by it. Rewards that differ by observation are averaged over the
/// observations, r(s,a,s') = sum_o O(o|s',a) r(s,a,s',o).
CelStatus celi_cassandra_build(CeliCassandra *said, const CelMdpLoadOptions *options,
                               CelMdp **out) CEL_WARN_UNUSED;

#endif
