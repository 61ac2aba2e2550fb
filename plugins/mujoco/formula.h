/// Formulas of an environment's file: arithmetic on vectors of doubles.
///
///     stand * (5 * tolerance(speed, [1, inf], margin=0.5, sigmoid=linear) + 1) / 6
///
/// A program is a list of instructions on a workspace of doubles. Every value has a place in the
/// workspace, whose size is known when the program is made. Running it allocates nothing.
///
/// A value is a vector of n numbers. Operators work element by element; a value of one element goes
/// with every vector.
#ifndef CELI_MUJOCO_FORMULA_H
#define CELI_MUJOCO_FORMULA_H
#include "document.h"

enum { CELI_WORK_MAX = 1 << 20 }; ///< doubles of a workspace

/// A value in the workspace.
typedef struct CeliValue {
  int at, n;     ///< workspace[at .. at + n)
  bool constant; ///< known when the program is made
} CeliValue;

/// What a name means in formulas.
typedef struct CeliSymbol {
  char *name;
  CeliValue value;
} CeliSymbol;

/// Reads a quantity of the simulation into out (n,). `user`: of celi_program_run.
typedef void CeliRead(const void *source, const void *user, double *out);

typedef struct CeliInstruction {
  int op;
  int out, n;                  ///< result
  CeliValue a, b, c;           ///< operands
  int memory;                  ///< of rate and previous: place in the memory
  double low, high, margin, v; ///< of tolerance
  int sigmoid;
  CeliRead *read; ///< of a quantity of the simulation
  const void *source;
} CeliInstruction;

typedef struct CeliProgram {
  CeliInstruction *instruction;
  int n_instructions, instructions_capacity;
  CeliSymbol *symbol;
  int n_symbols, symbols_capacity;
  double *initial; ///< (size,) constants, and 0 elsewhere
  int size, capacity;
  int memory; ///< doubles that rate() and previous() remember from step to step
} CeliProgram;

void celi_program_free(CeliProgram *p);
/// Adds n doubles to the workspace. Errors: CEL_E_MEMORY, CEL_E_RANGE (more than CELI_WORK_MAX).
CelStatus celi_program_place(CeliProgram *p, int n, CeliValue *value) CEL_WARN_UNUSED;
/// Names a value. Errors: CEL_E_NAME (taken, or not a name), CEL_E_MEMORY.
CelStatus celi_program_name(CeliProgram *p, const char *name, CeliValue value) CEL_WARN_UNUSED;
/// Adds an instruction that reads n numbers. The program does not own the source.
CelStatus celi_program_read(CeliProgram *p, CeliRead *read, const void *source, int n,
                            CeliValue *value) CEL_WARN_UNUSED;
/// Translates the formula that a scalar holds.
/// Errors: CEL_E_FORMAT, CEL_E_NAME (an unknown name; suggests the nearest), CEL_E_SHAPE,
/// CEL_E_RANGE; the message has file, line, key and the place in the formula.
CelStatus celi_formula(CeliProgram *p, const CeliDocument *doc, const CeliNode *node,
                       CeliValue *value) CEL_WARN_UNUSED;

typedef enum CeliRun {
  CELI_RUN_FIRST, ///< the first state of an episode: rate() is 0, previous(x) is x
  CELI_RUN_NEXT,  ///< the state after a step
  CELI_RUN_AGAIN  ///< the same state again: rate() and previous() keep their values
} CeliRun;

/// Computes all values. work (size,), memory (memory,), dt: seconds between steps.
void celi_program_run(const CeliProgram *p, double *work, double *memory, CeliRun run, double dt,
                      const void *user);

/// dm_control's tolerance(x): 1 within [low, high]; outside, a sigmoid of the distance that is v at
/// `margin`, or 0 if the margin is 0. sigmoid: index into celi_sigmoids.
double celi_tolerance(double x, double low, double high, double margin, int sigmoid, double v);
extern const char *const celi_sigmoids[]; ///< ended by NULL

#endif
