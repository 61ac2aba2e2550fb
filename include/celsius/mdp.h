/// Finite Markov decision processes (MDPs): built once, validated, then constant.
///
/// Each state has its own actions. A (state, action) is a pair; pairs are numbered state by state,
/// and each pair has a row of transitions. Numbers are double precision. Indices have 64 bits in
/// every call and are stored in 32 bits where they fit.
///
/// A state without actions is terminal, and its value is 0. A transition that ends the episode pays
/// its reward; the value of its next state does not count (Gymnasium's `terminated`).
///
/// A built problem is constant, so any number of threads may read it.
#ifndef CELSIUS_MDP_H
#define CELSIUS_MDP_H
#include "celsius/field.h"
#include "celsius/rng.h"
#include "celsius/status.h"
CEL_BEGIN

/// Layout of a grid world, for plots.
typedef struct CelMdpGrid {
  int64_t rows, columns;
  const int64_t *state; ///< (rows * columns) state of each cell; -1: a wall
  /// (actions, 2) direction of each action as (row step, column step); 0, 0: stays.
  const int8_t *direction;
  int64_t actions;
} CelMdpGrid;

/// A named set of states, such as "goal".
typedef struct CelMdpLabel {
  char name[CEL_TEXT_MAX];
  const uint8_t *in; ///< (states) 1: the state has the label; 0: it does not
} CelMdpLabel;

/// A named reward model: r(s,a,s') = state[s] + pair[p] + transition[t] for transition t of pair p
/// of state s. A missing array (NULL) counts as zeros. States without actions pay nothing.
typedef struct CelMdpReward {
  char name[CEL_TEXT_MAX];
  const double *state;      ///< (states) or NULL
  const double *pair;       ///< (pairs) or NULL
  const double *transition; ///< (transitions) or NULL
} CelMdpReward;

/// A problem. Read the fields directly or use the functions below. Do not write to it.
typedef struct CelMdp {
  int64_t states, pairs, transitions;
  int64_t max_actions;       ///< largest number of actions of a state
  double discount;           ///< gamma in [0, 1]; 1 without a horizon: see total.h
  int64_t horizon;           ///< steps of an episode; 0: infinite
  const int64_t *pair;       ///< (states + 1) first pair of each state
  const int64_t *row;        ///< (pairs + 1) first transition of each pair
  const uint32_t *next32;    ///< (transitions) next states; NULL: next64 has them
  const int64_t *next64;     ///< (transitions) next states, or NULL
  const double *probability; ///< (transitions) each row sums to 1 within 1e-14
  const double *reward;      ///< (pairs) r(s,a), the mean over the row
  const double *reward_next; ///< (transitions) r(s,a,s'); NULL: r(s,a) for every next state
  const uint8_t *ends;       ///< (transitions) 1: the episode ends there; NULL: it never does
  const int32_t *action;     ///< (pairs) action numbers; NULL: the number is p - pair[s]
  const double *start;       ///< (states) initial distribution
  const CelMdpGrid *grid;    ///< layout, or NULL
  int64_t labels;            ///< named sets of states
  const CelMdpLabel *label;  ///< (labels) with different names; NULL if there are none
  int64_t reward_models;     ///< named reward models
  const CelMdpReward *reward_model; ///< (reward_models) with different names; NULL: none
  /// The named model that `reward` and `reward_next` hold; NULL: they are not one of them.
  const CelMdpReward *reward_chosen;
  /// One sentence about a part of the file that the problem does not use, or NULL: "observations
  /// are left out: ..."
  const char *left_out;
  char name[CEL_TEXT_MAX]; ///< "frozenlake-8x8", a file's name, or ""
} CelMdp;

/// Returns the next state of transition t.
static inline int64_t cel_mdp_next(const CelMdp *mdp, int64_t t) {
  return mdp->next32 ? (int64_t)mdp->next32[t] : mdp->next64[t];
}
/// Returns the action number of pair p, which belongs to state s.
static inline int64_t cel_mdp_action(const CelMdp *mdp, int64_t s, int64_t p) {
  return mdp->action ? mdp->action[p] : p - mdp->pair[s];
}

// ---- Building. Add states in order, their actions in order, their transitions in any order. After
// an error of any of these functions, only cel_mdp_builder_destroy may follow.

typedef struct CelMdpBuilder CelMdpBuilder;

/// Creates a builder. Free it with cel_mdp_builder_destroy.
/// Errors: CEL_E_RANGE (states < 1 or too many, discount not in [0, 1], horizon < 0), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_builder_create(CelMdpBuilder **out, int64_t states, double discount,
                                         int64_t horizon) CEL_WARN_UNUSED;
/// Frees a builder. Takes NULL.
CEL_API void cel_mdp_builder_destroy(CelMdpBuilder *builder);
/// Reserves memory for this many pairs and transitions, which avoids copies while it grows.
/// Optional.
CEL_API CelStatus cel_mdp_builder_reserve(CelMdpBuilder *builder, int64_t pairs,
                                          int64_t transitions) CEL_WARN_UNUSED;
/// Opens the next pair. `state` must not be below the last pair's, and `action` must rise within a
/// state. A state without a pair is terminal. `reward` is r(s,a); the transitions' own rewards are
/// added to it.
/// Errors: CEL_E_RANGE (names state and action; also the errors of the row before it), CEL_E_NAN
/// (reward), CEL_E_STATE (already built), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_pair(CelMdpBuilder *builder, int64_t state, int64_t action,
                               double reward) CEL_WARN_UNUSED;
/// Adds a transition to the open pair. `reward` is r(s,a,s'), in addition to the pair's. `ends`:
/// the episode ends there.
/// The same next state may be added again: probabilities add up, and rewards are averaged by them.
/// Transitions with and without `ends` stay apart.
/// Single probabilities and sums may be off by 1e-5. Probabilities of 0 or below are dropped, and
/// the others are divided by their sum. The next pair, or build, checks the row.
/// Errors: CEL_E_RANGE (next state; a probability outside [0, 1] by more than 1e-5), CEL_E_NAN,
/// CEL_E_STATE (no pair is open).
CEL_API CelStatus cel_mdp_transition(CelMdpBuilder *builder, int64_t next, double probability,
                                     double reward, bool ends) CEL_WARN_UNUSED;
/// Sets the weight of a state in the initial distribution. Without a call, the distribution is
/// uniform over the states that are not terminal.
CEL_API CelStatus cel_mdp_start(CelMdpBuilder *builder, int64_t state,
                                double weight) CEL_WARN_UNUSED;
/// Adds a label: in[s] is 1 for the states that have it, and 0 for the others. `in` (states) and
/// the name are copied. A name is printable text of 1 to 63 bytes.
/// Errors: CEL_E_NAME (an invalid name; a label of that name exists), CEL_E_RANGE (a number other
/// than 0 and 1), CEL_E_STATE (already built), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_label(CelMdpBuilder *builder, const char *name,
                                const uint8_t *in) CEL_WARN_UNUSED;
/// Adds a named reward model of zeros. *model is its number for the three functions below, from 0.
/// Add models before the first pair. The rewards of cel_mdp_pair and cel_mdp_transition are
/// independent of them: they are the problem's r(s,a,s') until cel_mdp_with_reward selects a model.
/// Errors: CEL_E_NAME (an invalid name; a model of that name exists), CEL_E_STATE (a pair exists
/// already, already built), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_reward_model(CelMdpBuilder *builder, const char *name,
                                       int64_t *model) CEL_WARN_UNUSED;
/// Set the reward of a state, of the open pair, or of the transition that was added last.
/// Transitions that are merged average theirs by probability.
/// Errors: CEL_E_RANGE (model, state), CEL_E_NAN, CEL_E_STATE (no pair is open; no transition was
/// added to it), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_reward_of_state(CelMdpBuilder *builder, int64_t model, int64_t state,
                                          double reward) CEL_WARN_UNUSED;
CEL_API CelStatus cel_mdp_reward_of_pair(CelMdpBuilder *builder, int64_t model,
                                         double reward) CEL_WARN_UNUSED;
CEL_API CelStatus cel_mdp_reward_of_transition(CelMdpBuilder *builder, int64_t model,
                                               double reward) CEL_WARN_UNUSED;
/// Declares that the problem is a grid. The layout is copied.
CEL_API CelStatus cel_mdp_set_grid(CelMdpBuilder *builder, const CelMdpGrid *grid) CEL_WARN_UNUSED;
/// Sets the problem's name. It is copied.
CEL_API CelStatus cel_mdp_set_name(CelMdpBuilder *builder, const char *name) CEL_WARN_UNUSED;
/// Validates and returns the problem. Free that with cel_mdp_destroy. The builder is empty
/// afterwards; destroy it. Rows and the initial distribution must sum to 1 within 1e-5, and are
/// divided by their sum. Within a row next states rise.
/// Errors: CEL_E_RANGE (names state, action and sum), CEL_E_MEMORY, CEL_E_STATE (called twice).
CEL_API CelStatus cel_mdp_build(CelMdpBuilder *builder, CelMdp **out) CEL_WARN_UNUSED;
/// A whole problem as arrays in memory, for cel_mdp_from_arrays. Zero-fill it, then set the fields.
/// Arrays are only read during the call. Every pointer that may be NULL says what NULL means.
typedef struct CelMdpArrays {
  int64_t states;
  double discount;
  int64_t horizon;           ///< steps of an episode; 0: infinite
  const int64_t *pair;       ///< (states + 1) first pair of each state, from 0
  const int64_t *row;        ///< (pairs + 1) first transition of each pair, from 0
  const int64_t *next;       ///< (transitions) next states, in any order within a row
  const double *probability; ///< (transitions)
  const double *reward;      ///< (pairs) r(s,a); NULL: 0
  const double *reward_next; ///< (transitions) r(s,a,s'), added to r(s,a); NULL: 0
  const uint8_t *ends;       ///< (transitions) 1: the episode ends there; NULL: it never does
  const int64_t *action;     ///< (pairs) action numbers; NULL: 0, 1, ... in each state
  const double *start; ///< (states) initial distribution; NULL: uniform where there are actions
  const char *name;    ///< the problem's name; NULL: ""
} CelMdpArrays;
/// Builds a problem from arrays, with the rules of the builder: it checks everything, and copies.
/// Free the problem with cel_mdp_destroy.
/// Errors: those of the builder; CEL_E_RANGE (`pair` or `row` does not begin at 0 or falls),
/// CEL_E_ARGUMENT (an array is NULL that must not be).
CEL_API CelStatus cel_mdp_from_arrays(CelMdp **out, const CelMdpArrays *arrays) CEL_WARN_UNUSED;

/// Frees a problem from build, load or generate, never one that you filled in. Takes NULL.
CEL_API void cel_mdp_destroy(CelMdp *mdp);
/// Checks all rules of CelMdp. Loading a file runs it.
/// Errors: CEL_E_CORRUPT (names state, action or transition).
CEL_API CelStatus cel_mdp_check(const CelMdp *mdp) CEL_WARN_UNUSED;

// ---- Labels and reward models

/// Finds a label by name. Errors: CEL_E_NAME (names the nearest one, or all).
CEL_API CelStatus cel_mdp_label_find(const CelMdp *mdp, const char *name,
                                     const CelMdpLabel **out) CEL_WARN_UNUSED;
/// Finds the states for which an expression over labels holds: in[s] becomes 1, and 0 for the other
/// states. *count (may be NULL) becomes their number.
///
///     goal                    the states with that label; quotes are needed for other names than
///                             letters, digits and _, for example "all coins"
///     17                      state 17
///     init, terminal          initial states; states without actions. A label of that name wins.
///     !a, a & b, a | b, (a)   not, and, or; ! binds tighter than &, which binds tighter than |
///     true, false             all states; none
///
/// out  in (states)
/// Errors: CEL_E_NAME (unknown label), CEL_E_RANGE (unknown state), CEL_E_ARGUMENT (anything else;
/// the message shows the place), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_states_where(const CelMdp *mdp, const char *expression, uint8_t *in,
                                       int64_t *count) CEL_WARN_UNUSED;
/// Finds a reward model by name. Errors: CEL_E_NAME (names the nearest one, or all).
CEL_API CelStatus cel_mdp_reward_find(const CelMdp *mdp, const char *name,
                                      const CelMdpReward **out) CEL_WARN_UNUSED;
/// Makes the same problem with a named model as its r(s,a,s'). The name "none" gives rewards of 0,
/// unless a model has that name. The new problem shares the other arrays with `mdp`, which must
/// outlive it. Free it with cel_mdp_destroy.
/// Errors: CEL_E_NAME, CEL_E_RANGE (rewards whose sum overflows), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_with_reward(const CelMdp *mdp, const char *name,
                                      CelMdp **out) CEL_WARN_UNUSED;

// ---- Files

typedef enum CelMdpFormat {
  CEL_MDP_AUTO,        ///< detected from the file's name and first bytes
  CEL_MDP_SAFETENSORS, ///< Celsius' own layout (docs/files.md), memory-mapped
  /// JSON of a toy-text transition dictionary: {"P": {"0": {"0": [[p, s', r, done], ...]}}}.
  CEL_MDP_GYMNASIUM,
  CEL_MDP_CASSANDRA, ///< .mdp or .pomdp text; observations are ignored
  CEL_MDP_PRISM,     ///< explicit .tra, with .trew, .srew, .lab beside it
  CEL_MDP_UMB,       ///< unified Markov binary: tar of JSON and arrays; plain, gzip or xz
  CEL_MDP_DRN,       ///< DRN, Storm's text format
  CEL_MDP_STORM,     ///< Storm's explicit .tra (first line "mdp"), with .lab and .rew beside it
  CEL_MDP_PETSC      ///< PETSc's binary matrices: probabilities and rewards, as madupite uses them
} CelMdpFormat;

/// A file format: one row of the library's table of formats.
typedef struct CelMdpFormatInfo {
  CelMdpFormat format;
  const char *name;          ///< "gymnasium"
  const char *doc;           ///< one line
  const char *extensions[4]; ///< of the files to load and save: {".mdp", ".pomdp"}; ends with NULL
  const char *companions[4]; ///< of files beside these that cel_mdp_load takes too; ends with NULL
} CelMdpFormatInfo;
/// Format i, NULL past the end.
CEL_API const CelMdpFormatInfo *cel_mdp_format_at(int i);

/// How to read a file. Start from cel_mdp_load_options_default().
typedef struct CelMdpLoadOptions {
  /// Format of the file. Default CEL_MDP_AUTO.
  CelMdpFormat format;
  /// Discount. Range 0 to 1, default NAN, which is the file's own. Needed where the file has none.
  double discount;
  /// Steps of an episode. Default -1, which is the file's own; 0: infinite.
  int64_t horizon;
  /// Named reward model that becomes r(s,a,s'): its name or its number from 1. "none": rewards
  /// of 0. Default "": the file's own choice. That is the only model in formats that record none.
  char reward[CEL_TEXT_MAX];
} CelMdpLoadOptions;
/// Returns the default options.
CEL_API CelMdpLoadOptions cel_mdp_load_options_default(void);

/// Loads a file. Free the problem with cel_mdp_destroy.
/// A file without a discount needs one in the options: PRISM files never have one, Gymnasium's may
/// not.
/// Errors: CEL_E_IO, CEL_E_CORRUPT (file, line or offset, state, action, cause and remedy),
/// CEL_E_FORMAT (another format; longer than the limit), CEL_E_RANGE (discount, horizon),
/// CEL_E_NAME (no such reward model), CEL_E_ARGUMENT (several reward models, and none is selected),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_load_with(CelMdp **out, const char *path,
                                    const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// Loads a file with the given format and discount (NAN: the file's own), and default options
/// otherwise.
CEL_API CelStatus cel_mdp_load(CelMdp **out, const char *path, CelMdpFormat format,
                               double discount) CEL_WARN_UNUSED;
/// Writes a file completely or not at all. CEL_MDP_AUTO: by the name's ending.
/// Errors: CEL_E_IO, CEL_E_UNSUPPORTED (the format cannot express the problem), CEL_E_CORRUPT (a
/// struct that you filled in breaks a rule; see cel_mdp_check).
CEL_API CelStatus cel_mdp_save(const CelMdp *mdp, const char *path,
                               CelMdpFormat format) CEL_WARN_UNUSED;

// ---- Generators

/// A generator of problems. Static.
typedef struct CelMdpGenerator {
  const char *name;       ///< "garnet"
  const char *doc;        ///< one line
  const CelField *fields; ///< field table of its config struct
  size_t config_size;     ///< bytes of its config struct
  /// Makes a problem from a config struct.
  CelStatus (*make)(CelMdp **out, const void *config);
  /// Time limit for learners, steps; not part of the problem. 0: none.
  int64_t max_episode_steps;
} CelMdpGenerator;
/// Returns generator i, or NULL past the end.
CEL_API const CelMdpGenerator *cel_mdp_generator_at(int i);
/// Finds a generator by name; '_' and '-' are equal. Errors: CEL_E_NAME (suggests the nearest
/// name).
CEL_API CelStatus cel_mdp_generator_find(const char *name,
                                         const CelMdpGenerator **out) CEL_WARN_UNUSED;
/// Generates a problem. `config`: the generator's struct, filled through its fields; NULL: the
/// defaults. The same config gives the same problem. Free it with cel_mdp_destroy.
/// Errors: CEL_E_NAME, CEL_E_RANGE (generator, field, range), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_generate(CelMdp **out, const char *name,
                                   const void *config) CEL_WARN_UNUSED;

// ---- As an environment. `--env mdp` takes a file or a generator; these take a problem in memory.

struct CelEnvSpec;
struct CelEnvOptions;
/// Creates an environment from a problem: one-hot observations, discrete actions, and the horizon
/// as time limit. `mdp` must outlive the spec. Errors: those of cel_env_spec_create.
CEL_API CelStatus cel_mdp_env_spec(struct CelEnvSpec **out, const CelMdp *mdp,
                                   const struct CelEnvOptions *options) CEL_WARN_UNUSED;
/// Returns the problem of a spec of the environment mdp. The spec owns it.
/// Errors: CEL_E_UNSUPPORTED (another environment).
CEL_API CelStatus cel_mdp_of_env(const struct CelEnvSpec *spec, const CelMdp **out) CEL_WARN_UNUSED;

CEL_END
#endif
