/// MDPs that are given by a start and by the moves in each state. A breadth-first search finds the
/// states that can be reached, and they get numbers in that order.
///
/// A state is a struct of at most CELI_EXPLORE_BYTES bytes. Equal states must have equal bytes, so
/// padding must be zero.
#ifndef CELI_MDP_EXPLORE_H
#define CELI_MDP_EXPLORE_H
#include "mdp/generators/generators.h"

enum { CELI_EXPLORE_BYTES = 64 };

/// The moves in one state: choices with transitions.
typedef struct CeliMoves {
  size_t size;     ///< bytes of a state
  int64_t choices; ///< so far
  int64_t n;       ///< transitions so far
  double *reward;  ///< (choices)
  int64_t *first;  ///< (choices) first transition of each choice
  double *p;       ///< (n)
  uint8_t *next;   ///< (n, size)
  int64_t choice_room, room;
  CelStatus status; ///< the first error; later calls do nothing
} CeliMoves;

/// Begins a choice with reward r(s,a). Its transitions follow.
void celi_moves_choice(CeliMoves *moves, double reward);
/// Adds a transition to the last choice.
void celi_moves_to(CeliMoves *moves, double p, const void *state);
/// A choice with one transition.
static inline void celi_moves_step(CeliMoves *moves, double reward, const void *state) {
  celi_moves_choice(moves, reward);
  celi_moves_to(moves, 1.0, state);
}

typedef struct CeliExplore {
  const char *name; ///< of the MDP
  size_t size;      ///< bytes of a state
  /// Writes the first state, whose bytes are 0.
  void (*start)(const void *what, void *state);
  /// Adds the moves of a state. If there are none, the state stays where it is, with reward 0.
  void (*moves)(const void *what, const void *state, CeliMoves *moves);
  const char *const *labels; ///< names, ended by NULL
  /// True if a state has label number i.
  bool (*has)(const void *what, const void *state, int label);
} CeliExplore;

/// Creates the MDP. Errors: CEL_E_RANGE (2^32 states or more), CEL_E_MEMORY.
CelStatus celi_mdp_explore(CelMdp **out, const CeliMdpCommon *common, const CeliExplore *family,
                           const void *what) CEL_WARN_UNUSED;

#endif
