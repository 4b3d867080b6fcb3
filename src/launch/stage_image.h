/* The bytes of donjon-stage, linked into donjon: no version skew, no file to find or replace. */
#ifndef LAUNCH_STAGE_IMAGE_H
#define LAUNCH_STAGE_IMAGE_H

extern const unsigned char stage_image_start[], stage_image_end[];

#endif
