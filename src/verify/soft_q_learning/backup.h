/// Random problems and the library's soft optimal backup. Rows of the note soft-q-learning share
/// it.
#ifndef CELI_VERIFY_BACKUP_H
#define CELI_VERIFY_BACKUP_H
#include "verify/verify.h"

/// Three actions in each state, every next state has positive probability, nothing ends.
extern const CeliDraw celi_sq_plain;
/// Sets next (S) to TV by the library. next may be V.
void celi_sq_backup(CeliTrial *trial, const CeliProblem *m, const double *V, double *next);

#endif
