	.section .rodata
	.balign 4096
	.hidden stage_image_start
	.globl stage_image_start
stage_image_start:
	.incbin DONJON_STAGE_FILE
	.hidden stage_image_end
	.globl stage_image_end
stage_image_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
