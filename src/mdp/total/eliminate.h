/// Solves the linear systems of policy evaluation by state elimination.
///
/// The n states are those of a set that a policy surely leaves, numbered from 0:
///     x(s) = b(s) + sum_t p(s,t) x(t),    sum_t p(s,t) = 1 - leave(s).
/// There are two right sides: one for values, one for expected numbers of steps.
#ifndef CELI_MDP_ELIMINATE_H
#define CELI_MDP_ELIMINATE_H
#include "base/base.h"

enum { CELI_SIDES = 2 }; ///< right sides

/// A transition within the set.
typedef struct CeliArc {
  double p;
  uint32_t to;
} CeliArc;

/// A state with its transitions and its predecessors.
typedef struct CeliEliminated {
  double b[CELI_SIDES];
  double leave;                 ///< probability to leave; after elimination 1 / (1 - p(s,s))
  uint32_t row, length, room;   ///< its range of `arc`
  uint32_t back, known, places; ///< its range of `from`, which keeps eliminated states
  uint32_t sources;             ///< predecessors that are not eliminated
  uint32_t next, before;        ///< neighbors in its bucket
  uint32_t bucket;
} CeliEliminated;

enum { CELI_BUCKETS = 320 };

typedef struct CeliElimination {
  uint32_t n, capacity;
  CeliEliminated *state; ///< (capacity)
  uint32_t *order;       ///< (capacity) states in the order of elimination
  uint32_t *place;       ///< (capacity) scratch: position in a row plus 1, or 0
  CeliArc *arc;
  uint32_t *from;
  size_t arcs, arc_room, froms, from_room;
  uint32_t first[CELI_BUCKETS], last[CELI_BUCKETS]; ///< states of each bucket, as a list
  double work;                                      ///< transitions visited
} CeliElimination;

typedef enum CeliEliminationEnd {
  CELI_ELIMINATED,
  CELI_NEVER_LEFT, ///< the system is singular: the policy may stay in the set forever
  CELI_TOO_DENSE,  ///< the work or the memory exceeds the limit
  CELI_STOPPED
} CeliEliminationEnd;

/// `e` must be all zero. capacity: most states of a set. Errors: CEL_E_MEMORY.
CelStatus celi_elimination_create(CeliElimination *e, uint32_t capacity) CEL_WARN_UNUSED;
/// `e` may be all zero.
void celi_elimination_destroy(CeliElimination *e);
/// Begins a system without states.
void celi_elimination_begin(CeliElimination *e);
/// Adds the next state. Its transitions follow.
void celi_elimination_state(CeliElimination *e, const double b[CELI_SIDES], double leave);
/// Adds a transition of the last state to another state of the set, at most one to each.
/// Errors: CEL_E_MEMORY.
CelStatus celi_elimination_arc(CeliElimination *e, uint32_t to, double p) CEL_WARN_UNUSED;
/// Solves the system. x (n, CELI_SIDES). most: limit of the work. stop: may be NULL.
CeliEliminationEnd celi_elimination_solve(CeliElimination *e, double (*x)[CELI_SIDES], double most,
                                          bool (*stop)(void *user), void *user) CEL_WARN_UNUSED;

#endif
