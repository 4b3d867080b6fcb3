	.section .rodata
	.balign 4096
	.hidden probe_image_start
	.globl probe_image_start
probe_image_start:
	.incbin DONJON_PROBE_FILE
	.hidden probe_image_end
	.globl probe_image_end
probe_image_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
