/// The map and states of the taxi, for rendering.
#ifndef CELI_MDP_TAXI_H
#define CELI_MDP_TAXI_H
#include <stdint.h>

enum { CELI_TAXI_SIDE = 5, CELI_TAXI_STANDS = 4, CELI_TAXI_RIDING = 4 };

/// The parts of a state.
typedef struct CeliTaxi {
  int row, column;
  int passenger; ///< stand where the passenger waits, or CELI_TAXI_RIDING
  int destination;
} CeliTaxi;

/// (row, column) of each stand: red, green, yellow, blue.
extern const int celi_taxi_stand[CELI_TAXI_STANDS][2];
/// Bit c of row r: a wall east of column c.
extern const unsigned celi_taxi_wall_east[CELI_TAXI_SIDE];

CeliTaxi celi_taxi_decode(int64_t s);

#endif
