/// What the rows of the note soft-q-learning share: problems, and the soft optimal backup of the library.
#ifndef CELI_VERIFY_BACKUP_H
#define CELI_VERIFY_BACKUP_H
#include "verify/verify.h"

/// Three actions everywhere, every next state has a probability, nothing ends.
extern const CeliDraw celi_sq_plain;
/// next (S) = TV by the library; may be V.
void celi_sq_backup(CeliTrial *trial, const CeliProblem *m, const double *V, double *next);

#endif
