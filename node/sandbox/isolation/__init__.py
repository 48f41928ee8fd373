"""What holds a sandbox's process apart from the machine: namespaces, a root of its own, its own user, limits and system call filters.

launcher.py is the agent's end; zygote.py is the small process that forks sandboxes and confine.py what each of them does to itself before it
becomes the engine; layout.py and seccomp.py (pure) say what a sandbox sees and may ask of the kernel; cgroups.py, landlock.py, kernel.py and
libraries.py speak to the machine.
"""
