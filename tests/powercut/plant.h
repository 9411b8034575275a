/* Damage that is planted in a state, to see that the judge finds it. */
#ifndef TESTS_POWERCUT_PLANT_H
#define TESTS_POWERCUT_PLANT_H

#include "tests/powercut/judge.h"

/* Removes one row of the views, of something that has one. What was removed, in words; NULL
 * when the state has nothing of the kind, or cannot be opened. */
enum plant {
    PLANT_DUE,
    PLANT_NAME,
    PLANT_LISTED,
    PLANT_STATUS,
    PLANT_FRAMES,
    PLANT_OBJECT,
    PLANTS
};
const char *plant(const struct judge *judge, enum plant kind, uint64_t choice);

#endif /* TESTS_POWERCUT_PLANT_H */
