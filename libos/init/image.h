/*
 * What the linker defines about the image (ARCHITECTURE.md, "The image"). Hidden, so that each is a PC-relative address.
 */
#ifndef HULL_INIT_IMAGE_H
#define HULL_INIT_IMAGE_H
#pragma GCC visibility push(hidden)
extern char hull_image_start[], hull_image_end[];
extern char hull_text_start[], hull_text_end[], hull_libos_text_start[], hull_libos_text_end[];
extern char hull_rodata_start[], hull_rodata_end[], hull_data_start[], hull_data_end[];
extern const char hull_relr_start[], hull_relr_end[];
#pragma GCC visibility pop
#endif
