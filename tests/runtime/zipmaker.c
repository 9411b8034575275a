#include "tests/runtime/zipmaker.h"

#include <string.h>

#define FILES_MAX 64

static void put16(struct buf *buf, uint32_t value)
{
    const uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};

    buf_append(buf, bytes, 2);
}

static void put32(struct buf *buf, uint32_t value)
{
    put16(buf, value & 0xffff);
    put16(buf, value >> 16);
}

static uint32_t crc_of(const char *data, size_t len)
{
    uint32_t crc = ~0u;

    for (size_t i = 0; i < len; i++) {
        crc ^= (uint8_t)data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) ? 0xedb88320u : 0);
        }
    }
    return ~crc;
}

static size_t data_len(const struct zip_file *file)
{
    return (file->data == NULL) ? 0 : (file->data_len != 0) ? file->data_len : strlen(file->data);
}

static size_t name_len(const struct zip_file *file)
{
    return (file->name_len != 0) ? file->name_len : strlen(file->name);
}

static uint32_t crc(const struct zip_file *file)
{
    return (file->crc != 0) ? file->crc : crc_of(file->data, data_len(file));
}

static uint32_t claimed(const struct zip_file *file)
{
    return (file->bytes != 0) ? file->bytes : (uint32_t)data_len(file);
}

static void put_local(struct buf *zip, const struct zip_file *file)
{
    const char *name = (file->local_name != NULL) ? file->local_name : file->name;
    size_t len = (file->local_name != NULL) ? strlen(name) : name_len(file);

    put32(zip, 0x04034b50);
    put16(zip, 20);
    put16(zip, file->flags);
    put16(zip, file->method);
    put32(zip, 0x5a210000); /* a day of 2025 */
    put32(zip, crc(file));
    put32(zip, (uint32_t)data_len(file));
    put32(zip, (file->local_bytes != 0) ? file->local_bytes : claimed(file));
    put16(zip, (uint32_t)len);
    put16(zip, 0);
    buf_append(zip, name, len);
    if (file->data != NULL) {
        buf_append(zip, file->data, data_len(file));
    }
}

static void put_central(struct buf *zip, const struct zip_file *file, uint32_t start)
{
    uint32_t mode = (file->mode != 0) ? file->mode : 0100644;

    put32(zip, 0x02014b50);
    put16(zip, 3 << 8 | 20); /* made by a Unix */
    put16(zip, 20);
    put16(zip, file->flags);
    put16(zip, file->method);
    put32(zip, 0x5a210000);
    put32(zip, crc(file));
    put32(zip, (uint32_t)data_len(file));
    put32(zip, claimed(file));
    put16(zip, (uint32_t)name_len(file));
    put16(zip, 0);
    put16(zip, 0);
    put16(zip, 0);
    put16(zip, 0);
    put32(zip, mode << 16);
    put32(zip, ((file->start != 0) ? file->start : start) + file->start_shift);
    buf_append(zip, file->name, name_len(file));
}

void zip_make(struct buf *ret_zip, const struct zip_file *files, size_t count,
              const struct zip_lies *lies)
{
    const struct zip_lies none = {0};
    uint32_t starts[FILES_MAX] = {0};
    uint32_t directory;

    lies = (lies != NULL) ? lies : &none;
    for (size_t i = 0; i < count && i < FILES_MAX; i++) {
        starts[i] = (uint32_t)ret_zip->len;
        put_local(ret_zip, &files[i]);
    }
    directory = (uint32_t)ret_zip->len;
    for (size_t i = 0; i < count && i < FILES_MAX; i++) {
        put_central(ret_zip, &files[i], starts[i]);
    }
    put32(ret_zip, 0x06054b50);
    put16(ret_zip, lies->disk);
    put16(ret_zip, 0);
    put16(ret_zip, (lies->count != 0) ? lies->count : (uint32_t)count);
    put16(ret_zip, (lies->count != 0) ? lies->count : (uint32_t)count);
    put32(ret_zip, (uint32_t)ret_zip->len - 12 - directory);
    put32(ret_zip, directory + lies->directory_add);
    put16(ret_zip, 0);
    if (lies->behind != NULL) {
        buf_append_text(ret_zip, lies->behind);
    }
}
