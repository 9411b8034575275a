/* Tokens. Any text is refused unless we made it. Then a token is made of the input and
 * changed as the input says: only the unchanged one opens. */
#include <string.h>

#include "tests/fuzz/keys.h"
#include "tests/fuzz/target.h"

static void check_any(struct bytes text)
{
    uint8_t fields[TOKEN_FIELDS_MAX];
    size_t len = 0;
    bool is_open = token_open(fuzz_tenant_keys(), text, fields, &len);

    assert(!is_open); /* or someone guessed a key of 256 bits */
}

static void check_changed(struct bytes fields, uint8_t place, uint8_t character)
{
    char text[TOKEN_TEXT_MAX];
    uint8_t back[TOKEN_FIELDS_MAX];
    size_t len = 0;
    size_t at;
    bool is_same;
    bool is_open;

    token_make(fuzz_tenant_keys(), fields, text);
    at = place * strlen(text) / 256;
    is_same = text[at] == (char)character;
    text[at] = (char)character;
    is_open = token_open(fuzz_tenant_keys(), bytes_of(text, strlen(text)), back, &len);
    assert(is_open == is_same);
    assert(!is_open || bytes_equal(bytes_of(back, len), fields));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_any(bytes_of(data, size));
    if (size >= 2 && size - 2 <= TOKEN_FIELDS_MAX) {
        check_changed(bytes_of(data + 2, size - 2), data[0], data[1]);
    }
    return 0;
}
