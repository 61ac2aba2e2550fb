/// Passes over ranges of rows: what net.c does, for the plan's operations in net_plan.c.
#ifndef CELI_NET_ROWS_H
#define CELI_NET_ROWS_H
#include "nn/net.h"

/// Rows that go through all layers together.
enum { CELI_ROW_BLOCK = 256 };

/// Some rows of one member, all in one thread's range.
typedef struct CeliRange {
  int64_t e, begin, end;
  int thread;
} CeliRange;

/// Rows that the row operations are cut into: B, or E B by member.
int64_t celi_pass_rows(const CeliPass *pass);
/// Rows of node l's matrices in memory, all members together, with the gaps between threads.
int64_t celi_pass_stored_rows(const CeliPass *pass, int l);
/// Thread i's rows of the pass. Rows below 0, or from its own count on, belong to the
/// passes beside it.
void celi_pass_thread_rows(const CeliPass *pass, int i, int64_t *begin, int64_t *end);
/// Rows of member e in the row operations' range [begin, end); false when there are none.
bool celi_pass_cut(const CeliPass *pass, int64_t e, int64_t begin, int64_t end, CeliRange *range);
/// Splits the first block off a range; false when it is empty. Blocks are about equal.
bool celi_next_block(CeliRange *range, CeliRange *block);

/// Node l's view of some rows, without dx.
CeliRows celi_pass_node_rows(const CeliPass *pass, int l, const CeliRange *range);
/// Nodes [first, end) forward.
void celi_pass_forward(const CeliPass *pass, const CeliRange *range, int first, int end);
/// Nodes last down to first backward; dX (lddx) from node 0, when not NULL.
void celi_pass_backward(const CeliPass *pass, const CeliRange *range, int last, int first,
                        float *dX, ptrdiff_t lddx);

#endif
