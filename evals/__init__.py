"""What the assistant's understanding is measured on, and how."""
