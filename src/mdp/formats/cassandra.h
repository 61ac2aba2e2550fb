/// The content of a .mdp or .pomdp file. cassandra.c reads it, and cassandra_build.c builds the
/// MDP.
#ifndef CELSIUS_MDP_CASSANDRA_H
#define CELSIUS_MDP_CASSANDRA_H
#include "mdp/formats/cassandra_rules.h"
#include "mdp/formats/text.h"

typedef struct CeliCassandra {
  CeliScan scan; ///< the position of the reader; holds the file name for messages
  int64_t states, actions;
  int64_t observations; ///< 0: the file describes an MDP
  double discount;      ///< NAN: none
  int64_t discount_line, states_line, start_line;
  bool costs;          ///< the values of R are costs
  double *start;       ///< (states) or NULL: uniform
  CeliRules t, o, r;   ///< P(j|i,a); P(observation|i,a) with i the next state; r(i,a,j,o)
  bool by_observation; ///< some rewards depend on the observation
} CeliCassandra;

/// Errors: CEL_E_UNSUPPORTED (the format cannot express the MDP), CEL_E_IO.
CelStatus celi_mdp_save_cassandra(const CelMdp *mdp, const char *path) CEL_WARN_UNUSED;

/// Builds the MDP, and seals the rules. Rewards that depend on the observation are averaged:
/// r(s,a,s') = sum_o O(o|s',a) r(s,a,s',o).
CelStatus celi_cassandra_build(CeliCassandra *said, const CelMdpLoadOptions *options,
                               CelMdp **out) CEL_WARN_UNUSED;

#endif
